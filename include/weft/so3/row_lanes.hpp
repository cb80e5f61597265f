// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/packet.hpp>

/// Rows side by side in the lanes of packets, component by component, for kernels that do the same for every row.
namespace weft::inline WEFT_ABI::so3::detail {

/// to[c * lanes + r] = rows[r * stride + c] for `count` <= lanes rows of n elements; 0 behind them.
template <class T>
void rows_to_lanes(const T* rows, index stride, index n, index count, T* to) {
    constexpr index w = lanes<T>;
    for (index r = 0; r < count; ++r)
        for (index c = 0; c < n; ++c) to[c * w + r] = rows[r * stride + c];
    for (index r = count; r < w; ++r)
        for (index c = 0; c < n; ++c) to[c * w + r] = T{};
}
/// Back.
template <class T>
void lanes_to_rows(const T* from, index stride, index n, index count, T* rows) {
    constexpr index w = lanes<T>;
    for (index r = 0; r < count; ++r)
        for (index c = 0; c < n; ++c) rows[r * stride + c] = from[c * w + r];
}

} // namespace weft::inline WEFT_ABI::so3::detail
