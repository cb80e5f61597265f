// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/philox.hpp>

#include <algorithm>

namespace weft::inline WEFT_ABI::detail {

/// Keys first, ..., last - 1.
struct KeyRange {
    index first = 0, last = 0;
    bool empty() const { return first >= last; }
    bool operator==(const KeyRange&) const = default;
};

/// Which weights are kept, and the factor of those.
struct WeightDropout {
    double p = 0;
    std::uint64_t seed = 0;
    std::uint32_t offset = 0;

    explicit operator bool() const { return p > 0; }
    /// factor[j] for keys begin + j, j in [c.first, c.last): 0 or 1 / (1 - p). `row`: sequence x heads + head. Word
    /// k mod 4 of Philox's counter (k / 4, i, row, offset) is the random number of key k, which is dropped where that
    /// is below p 2^32.
    template <class T>
    void factors(index row, index i, index begin, KeyRange c, T* factor) const {
        const auto least = static_cast<std::uint64_t>(p * 0x1p32);
        const T kept = T(1 / (1 - p));
        const std::uint64_t stream = static_cast<std::uint32_t>(row) | std::uint64_t{offset} << 32;
        std::uint32_t words[philox_words];
        for (index j = begin + c.first; j < begin + c.last;) {
            const index block = j / philox_words * philox_words, end = std::min(block + philox_words, begin + c.last);
            philox_block(seed, stream, static_cast<std::uint64_t>(block / 4) | static_cast<std::uint64_t>(i) << 32,
                         words);
            for (; j < end; ++j) {
                const index k = j - block;
                factor[j - begin] = words[k % 4 * philox_counters + k / 4] >= least ? kept : T(0);
            }
        }
    }
};

} // namespace weft::inline WEFT_ABI::detail
