// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>

namespace weft_test {

/// What the program has asked of the system so far.
struct CountedMemory {
    std::atomic<std::size_t> requests{0}, live{0}, peak{0}; // peak: the largest `live`, in bytes
    std::atomic<std::size_t> failing{0};                    // the request of that number fails
};
inline CountedMemory counted_memory;

} // namespace weft_test
