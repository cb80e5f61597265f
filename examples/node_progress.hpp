// SPDX-License-Identifier: MIT
#pragma once

#include "node_training.hpp"
#include "status_line.hpp"

/// A percentage, or a dash for an accuracy of no nodes.
inline std::string percent(double part) {
    return std::isnan(part) ? std::string("-") : fmt::format("{:.1f} %", 100 * part);
}

/// Where a run is, on stderr: one line that is written over on a terminal, else a line for every tenth of the run.
class Progress {
public:
    /// `name` begins the line; an epoch goes over `edges` edges.
    Progress(bool enabled, std::string name, weft::index epochs, weft::index edges)
        : enabled_(enabled), name_(std::move(name)), epochs_(epochs), edges_(static_cast<double>(edges)) {}

    void update(const Measures& now, const Run& run) {
        if (!enabled_) return;
        const bool last = run.epochs == epochs_;
        if (line_.terminal() ? !last && run.epochs > 1 && run.seconds - shown_ < 0.1
                             : !last && run.epochs * 10 / epochs_ == (run.epochs - 1) * 10 / epochs_)
            return;
        shown_ = run.seconds;
        // Edges of the graph per second: an epoch is a training step and an evaluation.
        const double rate = static_cast<double>(run.epochs) / run.seconds;
        const double left = static_cast<double>(epochs_ - run.epochs) / rate;
        line_.write(fmt::format(
            "{}seed {}  epoch {:>{}}/{}  loss {:.4f}  validation {:>6}  test {:>6}  {:.2f} M edges/s  {} left", name_,
            run.seed, run.epochs, fmt::formatted_size("{}", epochs_), epochs_, now.train_loss, percent(now.validation),
            percent(now.test), rate * edges_ / 1e6, StatusLine::clock(left)));
    }
    /// Leaves the last line as it is, or takes it away on a terminal.
    void finish() {
        if (enabled_) line_.finish();
        shown_ = 0;
    }

private:
    StatusLine line_;
    bool enabled_;
    std::string name_;
    weft::index epochs_;
    double edges_;
    double shown_ = 0;
};
