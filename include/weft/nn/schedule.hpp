// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/error.hpp>
#include <weft/core/index.hpp>

#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

namespace weft::inline WEFT_ABI::nn {

// Learning rates as functions of a group's own rate and the epoch, with the names of torch.optim.lr_scheduler.

/// lr, in every epoch
struct ConstantLR {
    /// The rate in an epoch, for a group's own rate lr.
    double operator()(double lr, index) const { return lr; }
};

/// lr gamma^floor(epoch / step_size)
struct StepLR {
    index step_size = 30;
    double gamma = 0.1;
    /// The rate in an epoch, for a group's own rate lr.
    double operator()(double lr, index epoch) const {
        return lr * std::pow(gamma, static_cast<double>(epoch / step_size));
    }
};

/// lr gamma^epoch
struct ExponentialLR {
    double gamma = 0.95;
    /// The rate in an epoch, for a group's own rate lr.
    double operator()(double lr, index epoch) const { return lr * std::pow(gamma, static_cast<double>(epoch)); }
};

/// From lr to eta_min along half a cosine of t_max epochs (and up again thereafter).
struct CosineAnnealingLR {
    index t_max = 100;
    double eta_min = 0;
    /// The rate in an epoch, for a group's own rate lr.
    double operator()(double lr, index epoch) const {
        const double part = static_cast<double>(epoch) / static_cast<double>(t_max);
        return eta_min + (lr - eta_min) * (1 + std::cos(std::numbers::pi * part)) / 2;
    }
};

/// From start_factor lr to lr in `epochs` equal steps; then another schedule, from its epoch 0.
template <class Then = ConstantLR>
class WarmupLR {
public:
    /// Errors: a negative number of epochs.
    explicit WarmupLR(index epochs, Then then = {}, double start_factor = 0)
        : epochs_(epochs), then_(std::move(then)), start_factor_(start_factor) {
        if (epochs < 0) throw error("WarmupLR", "{} epochs: must not be negative", epochs);
    }
    /// The rate in an epoch, for a group's own rate lr.
    double operator()(double lr, index epoch) const {
        if (epoch >= epochs_) return then_(lr, epoch - epochs_);
        return lr * (start_factor_ + (1 - start_factor_) * static_cast<double>(epoch) / static_cast<double>(epochs_));
    }

private:
    index epochs_;
    Then then_;
    double start_factor_;
};

/// Sets the learning rates of an optimiser's groups, which it must not outlive:
///
///     nn::Schedule schedule{optimizer, nn::WarmupLR{10, nn::CosineAnnealingLR{.t_max = 190}}};
///     for (...) { ...; optimizer.step(); schedule.step(); }
///
/// The rates at construction are those of which the schedule makes its own.
template <class O, class F>
class Schedule {
public:
    /// Sets the rates of epoch 0.
    Schedule(O& optimizer, F rate) : optimizer_(&optimizer), rate_(std::move(rate)) {
        for (std::size_t i = 0; i < optimizer.group_count(); ++i) base_.push_back(optimizer.options(i).lr);
        set_epoch(0);
    }
    /// Goes to the next epoch.
    void step() { set_epoch(epoch_ + 1); }
    /// Where it is, from 0.
    index epoch() const noexcept { return epoch_; }
    /// Goes to an epoch, as when training is resumed.
    void set_epoch(index epoch) {
        epoch_ = epoch;
        for (std::size_t i = 0; i < base_.size(); ++i) optimizer_->options(i).lr = rate_(base_[i], epoch);
    }

private:
    O* optimizer_;
    F rate_;
    std::vector<double> base_;
    index epoch_ = 0;
};

} // namespace weft::inline WEFT_ABI::nn
