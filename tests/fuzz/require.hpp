// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstdlib>

namespace weft_test {

/// What holds for any input: else the fuzzer has found something.
inline void require(bool good) {
    if (!good) std::abort();
}

} // namespace weft_test
