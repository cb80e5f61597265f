// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/random.hpp>
#include <weft/nn/adam.hpp>
#include <weft/nn/exponential_moving_average.hpp>
#include <weft/nn/reduce_lr_on_plateau.hpp>
#include <weft/potential/evaluate.hpp>

#include <filesystem>
#include <limits>
#include <map>
#include <optional>

namespace weft::inline WEFT_ABI::potential {

/// How a model is trained, by the names and with most of the defaults of mace's run_train.
struct TrainerOptions {
    double lr = 0.01;
    double weight_decay = 5e-7; ///< see Trainer::decays
    bool amsgrad = true;
    bool ema = true; ///< whether averages of the parameters are kept, which are then what counts
    double ema_decay = 0.99;
    double clip_grad = 10; ///< the norm of gradients, at most; may be infinite
    index batch_size = 5;  ///< structures of a step
    double energy_weight = 1, forces_weight = 100;
    double lr_factor = 0.8;        ///< of the rate,
    index scheduler_patience = 50; ///< when the validation loss has not fallen for more epochs than this
    index start_swa = std::numeric_limits<index>::max(); ///< the epoch at which stage two begins; by default none
    double swa_lr = 1e-3;                                ///< in stage two, where the rate stays what it is
    double swa_energy_weight = 1000, swa_forces_weight = 100;
    std::uint64_t seed = 0; ///< of the order of structures

    /// Calls f(name, value) for all of them.
    void for_each(auto&& f) {
        f("lr", lr);
        f("weight_decay", weight_decay);
        f("amsgrad", amsgrad);
        f("ema", ema);
        f("ema_decay", ema_decay);
        f("clip_grad", clip_grad);
        f("batch_size", batch_size);
        f("energy_weight", energy_weight);
        f("forces_weight", forces_weight);
        f("lr_factor", lr_factor);
        f("scheduler_patience", scheduler_patience);
        f("start_swa", start_swa);
        f("swa_lr", swa_lr);
        f("swa_energy_weight", swa_energy_weight);
        f("swa_forces_weight", swa_forces_weight);
        f("seed", seed);
    }
};

/// What Trainer::epoch tells after every step.
struct TrainingStep {
    index epoch = 0;           ///< from 0
    index step = 0, steps = 0; ///< of the epoch, from 1 to steps
    double loss = 0;           ///< of the batch, before the step
};

/// Trains a model, MACE or NequIP, on energies and forces: Adam with clipped gradients and a rate that falls when the
/// loss does no longer, then, in stage two, a fixed one with more weight on energies; averages of the parameters. Every
/// epoch takes the structures in another order.
///
///     Trainer trainer(MACE<float>(options_for(train, MaceOptions{.r_max = 4.5})), train, validation);
///     for (int i = 0; i < 100; ++i) {
///         trainer.epoch();
///         fmt::print("{:.1f} meV/Å\n", trainer.validation().forces.mae);
///     }
///     save_mace("potential.safetensors", trainer.model());
///
/// The numbers depend on model, structures and options alone, not on the number of threads.
template <template <class> class Model, class T>
class Trainer {
public:
    /// Trains the parameters of `model` where they are (pass nn::clone(model) to keep them), which get no other
    /// gradients from here on. Without structures for validation the mean loss of training stands for theirs. Errors:
    /// no structures to train on; a set with another cutoff than the model, or with an element that it does not know;
    /// options out of range.
    Trainer(Model<T> model, StructureSet train, StructureSet validation = {}, const TrainerOptions& options = {})
        : options_(checked(options)), model_(std::move(model)), train_(std::move(train)),
          validation_set_(std::move(validation)), gradient_(model_),
          adam_(model_, {.lr = options.lr, .amsgrad = options.amsgrad}),
          plateau_(adam_, {.factor = options.lr_factor, .patience = options.scheduler_patience}) {
        if (train_.size() == 0) throw error(operation, "there are no structures to train on");
        require_known("training", train_);
        require_known("validation", validation_set_);
        bool any = false;
        nn::for_each_parameter(model_, [&](std::string_view name, const auto&) { any = any || decays(name); });
        if (any && options.weight_decay != 0) {
            nn::AdamOptions decaying = adam_.options();
            decaying.weight_decay = options.weight_decay;
            adam_.add_group(decays, decaying);
        }
        if (options.ema) average_.emplace(model_, nn::ExponentialMovingAverageOptions{.decay = options.ema_decay});
        begin_epoch(0);
    }
    Trainer(const Trainer&) = delete;
    Trainer& operator=(const Trainer&) = delete;

    /// Whether the weight of this name decays, as mace's groups of parameters have it: those of `products`, and the
    /// linear maps of messages in `interactions`.
    static bool decays(std::string_view name) {
        return name.starts_with("products.") ||
               (name.starts_with("interactions.") && name.find("linear.weight") != name.npos);
    }

    /// As given.
    const TrainerOptions& options() const { return options_; }
    /// Whole epochs that lie behind.
    index epochs() const { return progress_.epoch.item(); }
    /// Steps of an epoch, the last of which may be of fewer structures.
    index steps_per_epoch() const { return (train_.size() + options_.batch_size - 1) / options_.batch_size; }
    /// The rate of the next step.
    double lr() const { return adam_.options().lr; }
    /// The comparison with the structures for validation at the end of the last epoch; zeros before.
    const Evaluation& validation() const { return validation_; }

    /// One step; after the last one of an epoch, validation and schedule. Gives the loss before it. Errors: loss or
    /// gradient are not finite; then the parameters and all else are as before the step.
    double step() {
        const auto at = progress_.position.item();
        const index count = std::min<index>(options_.batch_size, train_.size() - at);
        const auto batch = train_.batch(model_, std::span<const index>(order_).subspan(
                                                    static_cast<std::size_t>(at), static_cast<std::size_t>(count)));
        const double loss = gradient_(model_, batch, weights());
        const double norm = nn::clip_grad_norm(model_, options_.clip_grad);
        if (!std::isfinite(loss) || !std::isfinite(norm)) {
            adam_.clear_grad();
            throw error(operation, "epoch {}, step {}: the loss is {}, the norm of its gradient {}", epochs(),
                        at / options_.batch_size + 1, loss, norm);
        }
        adam_.step();
        if (average_) average_->update();
        progress_.loss = progress_.loss.item() + loss * static_cast<double>(count);
        progress_.position = at + count;
        if (at + count == train_.size()) finish_epoch();
        return loss;
    }
    /// The rest of an epoch; gives the mean of the losses of its structures, each before its step. `tell` is called
    /// with a TrainingStep after every step.
    template <class F>
    double epoch(F&& tell) {
        for (const index now = epochs(); epochs() == now;) {
            const auto begun = progress_.position.item();
            const double loss = step();
            tell(TrainingStep{now, begun / options_.batch_size + 1, steps_per_epoch(), loss});
        }
        return mean_loss_;
    }
    /// The same without telling.
    double epoch() {
        return epoch([](const TrainingStep&) {});
    }

    /// The model with the averages of its parameters if there are any, which have memory of their own.
    Model<T> model() const {
        Model<T> result = nn::clone(model_);
        if (average_) average_->copy_to(result);
        return result;
    }
    /// Compares that model with a set. Errors: an element that it does not know.
    Evaluation evaluate(const StructureSet& set) const { return potential::evaluate(model(), set); }

    /// Writes all that the rest of a run depends on. The file appears as a whole or not at all. Errors: it cannot be
    /// written; then one that was there stays.
    void save(const std::filesystem::path& path) const { io::save_safetensors(path, state(), description()); }
    /// Goes on where a checkpoint was written, with the same bits, also within an epoch. Errors: the file is none, or
    /// of another model, other structures or other options; it says which. Then nothing has changed.
    void resume(const std::filesystem::path& path) {
        const auto file = io::SafetensorsFile::read(path);
        for (const auto& [key, text] : description()) {
            const auto found = file.metadata().find(key);
            if (found == file.metadata().end())
                throw error(operation, "{} is no checkpoint of training: it has no {}", file.file(), key);
            if (found->second != text)
                throw error(operation, "{} is of another run: its {} is {}, here it is {}", file.file(), key,
                            io::detail::quote_name(found->second), io::detail::quote_name(text));
        }
        const io::NamedTensors before = state();
        try {
            load(file.tensors());
        } catch (const Error& problem) {
            load(before);
            throw error(operation, "{}: {}", file.file(), problem.what());
        }
    }

private:
    static constexpr auto operation = "Trainer";

    /// Where a run is.
    struct Progress {
        Tensor<std::int64_t, 0> epoch{std::int64_t{0}};
        Tensor<std::int64_t, 0> position{std::int64_t{0}}; ///< structures of the epoch that lie behind
        Tensor<double, 0> loss{0.0};                       ///< the sum of theirs
        void visit(auto&& v) {
            v("epoch", epoch);
            v("position", position);
            v("loss", loss);
        }
    };

    static const TrainerOptions& checked(const TrainerOptions& o) {
        const auto require = [](bool holds, const char* name, const auto& value, const char* rule) {
            if (!holds) throw error(operation, "{} is {}: must {}", name, value, rule);
        };
        const auto positive = [&](const char* name, double value) {
            require(value > 0 && std::isfinite(value), name, value, "be positive and finite");
        };
        const auto weight = [&](const char* name, double value) {
            require(value >= 0 && std::isfinite(value), name, value, "be finite and not negative");
        };
        positive("lr", o.lr);
        positive("swa_lr", o.swa_lr);
        require(o.clip_grad > 0, "clip_grad", o.clip_grad, "be positive");
        require(o.batch_size >= 1, "batch_size", o.batch_size, "be at least 1");
        require(o.start_swa >= 0, "start_swa", o.start_swa, "not be negative");
        weight("weight_decay", o.weight_decay);
        weight("energy_weight", o.energy_weight);
        weight("forces_weight", o.forces_weight);
        weight("swa_energy_weight", o.swa_energy_weight);
        weight("swa_forces_weight", o.swa_forces_weight);
        return o;
    }
    void require_known(const char* name, const StructureSet& set) const {
        if (set.size() > 0 && set.cutoff() != model_.cutoff())
            throw error(operation,
                        "the structures for {} have neighbours up to {} Å, the model up to {}: must be equal", name,
                        set.cutoff(), model_.cutoff());
        for (index i = 0; i < set.size(); ++i) try {
                model_.elements_of(set.structures[static_cast<std::size_t>(i)].species.values());
            } catch (const Error& problem) {
                throw error(operation, "structure {} for {}: {}", i, name, problem.what());
            }
    }

    bool in_stage_two() const { return epochs() >= options_.start_swa; }
    EnergyForcesLoss weights() const {
        if (in_stage_two()) return {options_.swa_energy_weight, options_.swa_forces_weight};
        return {options_.energy_weight, options_.forces_weight};
    }
    void begin_epoch(index number) {
        progress_ = {number, index{0}, 0.0};
        draw_order();
        if (number == options_.start_swa)
            for (std::size_t i = 0; i < adam_.group_count(); ++i) adam_.options(i).lr = options_.swa_lr;
    }
    /// A function of seed and epoch alone.
    void draw_order() {
        Generator generator{options_.seed, static_cast<std::uint64_t>(epochs() + 1), 0};
        order_ = permutation(generator, train_.size());
    }
    void finish_epoch() {
        mean_loss_ = progress_.loss.item() / static_cast<double>(train_.size());
        validation_ = evaluate(validation_set_);
        if (!in_stage_two()) plateau_.step(validation_set_.size() > 0 ? validation_.loss(weights()) : mean_loss_);
        begin_epoch(epochs() + 1);
    }

    io::Metadata description() const {
        io::Metadata words{{"format", "training 1"},
                           {"model", model_.config()},
                           {"training_set", fmt::format("{:08x}", train_.checksum())},
                           {"validation_set", fmt::format("{:08x}", validation_set_.checksum())}};
        TrainerOptions(options_).for_each([&](const char* name, const auto& value) {
            words[fmt::format("options.{}", name)] = fmt::format("{}", value);
        });
        return words;
    }
    /// The state dicts of all parts, `adam.products.0.linear.weight.exp_avg`.
    io::NamedTensors state() const {
        io::NamedTensors all;
        const auto add = [&](const char* part, const io::NamedTensors& dict) {
            for (const auto& [name, tensor] : dict) all.emplace_back(fmt::format("{}.{}", part, name), tensor);
        };
        add("model", nn::state_dict(model_));
        add("adam", adam_.state_dict());
        if (average_) add("average", average_->state_dict());
        add("plateau", plateau_.state_dict());
        add("progress", nn::state_dict(progress_));
        return all;
    }
    void load(const io::NamedTensors& dict) {
        std::map<std::string, io::NamedTensors, std::less<>> parts;
        for (const auto& [name, tensor] : dict) {
            const auto point = std::min(name.find('.'), name.size() - 1);
            parts[name.substr(0, point)].emplace_back(name.substr(point + 1), tensor);
        }
        nn::load_state_dict(model_, parts["model"]);
        adam_.load_state_dict(parts["adam"]);
        if (average_) average_->load_state_dict(parts["average"]);
        plateau_.load_state_dict(parts["plateau"]);
        nn::load_state_dict(progress_, parts["progress"]);
        if (const index at = progress_.position.item(); epochs() < 0 || at < 0 || at >= train_.size())
            throw error(operation, "epoch {}, structure {}: there are {} structures", epochs(), at, train_.size());
        draw_order();
    }

    TrainerOptions options_;
    Model<T> model_;
    StructureSet train_, validation_set_;
    LossGradient<Model, T> gradient_;
    nn::Adam adam_;
    nn::ReduceLROnPlateau<nn::Adam> plateau_;
    std::optional<nn::ExponentialMovingAverage> average_;
    Progress progress_;
    std::vector<index> order_;
    double mean_loss_ = 0;
    Evaluation validation_;
};

} // namespace weft::inline WEFT_ABI::potential
