// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/error.hpp>
#include <weft/core/index.hpp>
#include <weft/nn/state_dict.hpp>

#include <algorithm>
#include <limits>

namespace weft::inline WEFT_ABI::nn {

/// Options of `ReduceLROnPlateau`.
struct ReduceLROnPlateauOptions {
    double factor = 0.1;     ///< of a reduction, in (0, 1)
    index patience = 10;     ///< epochs without progress that are borne
    double threshold = 1e-4; ///< progress is by more than this part of the lowest metric so far
    index cooldown = 0;      ///< epochs after a reduction that count for nothing
    double min_lr = 0;       ///< rates are not reduced below
    double eps = 1e-8;       ///< nor by less than or by this
};

/// Multiplies the learning rates of an optimiser's groups, which it must not outlive, by `factor` when a metric that
/// should fall, say the training loss, has not fallen for more than `patience` epochs, as
/// torch.optim.lr_scheduler.ReduceLROnPlateau does:
///
///     nn::ReduceLROnPlateau schedule{optimizer, {.factor = 0.5}};
///     for (...) { ...; optimizer.step(); schedule.step(loss); }
///
/// Of a metric that should rise, give the negative value, with a threshold of 0. NaN is no progress.
template <class O>
class ReduceLROnPlateau {
public:
    /// Errors: an option is out of range.
    explicit ReduceLROnPlateau(O& optimizer, const ReduceLROnPlateauOptions& options = {})
        : optimizer_(&optimizer), options_(options) {
        if (!(options.factor > 0 && options.factor < 1))
            throw error("ReduceLROnPlateau", "factor is {}: must be in (0, 1)", options.factor);
        if (options.patience < 0 || options.cooldown < 0)
            throw error("ReduceLROnPlateau", "patience is {}, cooldown {}: must not be negative", options.patience,
                        options.cooldown);
        if (!(options.threshold >= 0 && options.threshold < 1))
            throw error("ReduceLROnPlateau", "threshold is {}: must be in [0, 1)", options.threshold);
        if (!(options.min_lr >= 0 && options.eps >= 0))
            throw error("ReduceLROnPlateau", "min_lr is {}, eps {}: must not be negative", options.min_lr, options.eps);
    }

    /// After every epoch.
    void step(double metric) {
        const bool progress = metric < best_ * (1 - options_.threshold);
        if (progress) best_ = metric;
        const bool cooling = cooldown_ > 0;
        if (cooling) --cooldown_;
        stale_ = progress || cooling ? 0 : stale_ + 1;
        if (stale_ <= options_.patience) return;
        for (std::size_t i = 0; i < optimizer_->group_count(); ++i) {
            double& lr = optimizer_->options(i).lr;
            const double reduced = std::max(lr * options_.factor, options_.min_lr);
            if (lr - reduced > options_.eps) lr = reduced;
        }
        cooldown_ = options_.cooldown;
        stale_ = 0;
    }
    /// The lowest metric so far.
    double best() const noexcept { return best_; }

    /// What a later run needs to go on with the same rates, beside the optimiser's own state dict.
    io::NamedTensors state_dict() const {
        return {{"best", Tensor<double, 0>(best_)},
                {"num_bad_epochs", Tensor<std::int64_t, 0>(stale_)},
                {"cooldown_counter", Tensor<std::int64_t, 0>(cooldown_)}};
    }
    /// Errors: names that only one side has, other shapes. Then nothing has changed.
    void load_state_dict(const io::NamedTensors& dict) {
        detail::DictReader reader(dict);
        const auto number = [&]<class T>(const char* name, T otherwise) {
            const auto* const entry = reader.find(name, {});
            return entry ? entry->template to<T, 0>(io::Conversion::lossless, name).item() : otherwise;
        };
        const double best = number("best", best_);
        const auto stale = number("num_bad_epochs", std::int64_t{0});
        const auto cooldown = number("cooldown_counter", std::int64_t{0});
        reader.finish(true);
        best_ = best;
        stale_ = stale;
        cooldown_ = cooldown;
    }

private:
    O* optimizer_;
    ReduceLROnPlateauOptions options_;
    double best_ = std::numeric_limits<double>::infinity();
    index stale_ = 0, cooldown_ = 0;
};

} // namespace weft::inline WEFT_ABI::nn
