// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/iteration.hpp>

#include <span>

namespace weft::inline WEFT_ABI::so3::detail {

/// Calls f(range, begin, end) for ranges of rows, [bounds[r], bounds[r + 1]) (see balanced_rows), on all threads;
/// `cost`: nanoseconds for all of them.
template <class F>
void for_each_range(std::span<const index> bounds, double cost, F&& f) {
    weft::detail::for_each_chunk(static_cast<index>(bounds.size()) - 1, cost, [&](index range) {
        const auto at = static_cast<std::size_t>(range);
        f(range, bounds[at], bounds[at + 1]);
    });
}

} // namespace weft::inline WEFT_ABI::so3::detail
