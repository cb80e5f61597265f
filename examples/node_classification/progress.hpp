// SPDX-License-Identifier: MIT
#pragma once

#include "training.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <unistd.h>

/// A percentage, or a dash for an accuracy of no nodes.
inline std::string percent(double part) {
    return std::isnan(part) ? std::string("-") : fmt::format("{:.1f} %", 100 * part);
}

/// Where a run is, on stderr: one line that is written over on a terminal, else a line for every tenth of the run.
class Progress {
public:
    Progress(bool enabled, const Recipe& recipe, weft::index edges)
        : enabled_(enabled), epochs_(recipe.epochs), edges_(static_cast<double>(edges)) {}

    void update(const Measures& now, const Run& run) {
        if (!enabled_) return;
        const bool last = run.epochs == epochs_;
        if (terminal_ ? !last && run.epochs > 1 && run.seconds - shown_ < 0.1
                      : !last && run.epochs * 10 / epochs_ == (run.epochs - 1) * 10 / epochs_)
            return;
        shown_ = run.seconds;
        // Edges of the graph per second: an epoch is a training step and an evaluation.
        const double rate = static_cast<double>(run.epochs) / run.seconds;
        const double left = static_cast<double>(epochs_ - run.epochs) / rate;
        write(fmt::format(
            "seed {}  epoch {:>{}}/{}  loss {:.4f}  validation {:>6}  test {:>6}  {:.2f} M edges/s  {} left", run.seed,
            run.epochs, fmt::formatted_size("{}", epochs_), epochs_, now.train_loss, percent(now.validation),
            percent(now.test), rate * edges_ / 1e6, clock(left)));
    }
    /// Leaves the last line as it is, or takes it away on a terminal.
    void finish() {
        if (enabled_ && terminal_) std::fputs("\r\033[K", stderr);
        shown_ = 0;
    }

private:
    static std::string clock(double seconds) {
        const auto s = static_cast<long>(std::ceil(seconds));
        return s < 60 ? fmt::format("{} s", s) : fmt::format("{}:{:02} min", s / 60, s % 60);
    }
    void write(const std::string& line) const {
        // On a terminal without wrapping, which would break the line in two that cannot be written over.
        std::fputs((terminal_ ? "\r\033[K\033[?7l" + line + "\033[?7h" : line + '\n').c_str(), stderr);
        std::fflush(stderr);
    }

    bool enabled_;
    bool terminal_ = ::isatty(STDERR_FILENO) != 0;
    weft::index epochs_;
    double edges_;
    double shown_ = 0;
};
