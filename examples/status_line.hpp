// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <unistd.h>

/// Where a long run is, on stderr: one line that is written over on a terminal, else a line each time.
class StatusLine {
public:
    bool terminal() const { return terminal_; }

    void write(const std::string& line) const {
        // On a terminal without wrapping, which would break the line in two that cannot be written over.
        std::fputs((terminal_ ? "\r\033[K\033[?7l" + line + "\033[?7h" : line + '\n').c_str(), stderr);
        std::fflush(stderr);
    }
    /// Leaves the last line as it is, or takes it away on a terminal.
    void finish() const {
        if (terminal_) std::fputs("\r\033[K", stderr);
    }

    static std::string clock(double seconds) {
        const auto s = static_cast<long>(std::ceil(seconds));
        return s < 60 ? fmt::format("{} s", s) : fmt::format("{}:{:02} min", s / 60, s % 60);
    }

private:
    bool terminal_ = ::isatty(STDERR_FILENO) != 0;
};
