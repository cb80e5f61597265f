// SPDX-License-Identifier: MIT
#pragma once

#include "golden.hpp"

#include <weft/core/combine.hpp>
#include <weft/core/layout.hpp>
#include <weft/nn/window.hpp>

namespace weft_test {

inline constexpr weft::Layout layouts[] = {weft::Layout::channels_first, weft::Layout::channels_last};

/// Images [N, C, H, W] in that layout, and back.
template <class T>
weft::Tensor<T, 4> to_layout(const weft::Tensor<T, 4>& x, weft::Layout layout) {
    return layout == weft::Layout::channels_first ? x : weft::Tensor<T, 4>(weft::permute(x, {0, 2, 3, 1}));
}
template <class T>
weft::Tensor<T, 4> from_layout(const weft::Tensor<T, 4>& x, weft::Layout layout) {
    return layout == weft::Layout::channels_first ? x : weft::Tensor<T, 4>(weft::permute(x, {0, 3, 1, 2}));
}

/// The option `key`, [height, width].
inline weft::nn::Pair pair_of(const GoldenCase& g, const char* key) {
    const auto values = g.option(key, std::vector<weft::index>());
    REQUIRE(values.size() == 2);
    return {values[0], values[1]};
}

} // namespace weft_test
