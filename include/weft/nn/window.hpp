// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/error.hpp>
#include <weft/core/layout.hpp>
#include <weft/core/shape.hpp>

namespace weft::inline WEFT_ABI::nn {

/// A number for each axis of an image; one number stands for both.
struct Pair {
    index height, width;

    /// The same number for both axes.
    constexpr Pair(index both) : height(both), width(both) {}
    /// One number each.
    constexpr Pair(index of_height, index of_width) : height(of_height), width(of_width) {}
    friend bool operator==(const Pair&, const Pair&) = default;
};

namespace detail {

/// The extents of images, by name.
struct ImageShape {
    index batch, channels, height, width;
    Layout layout;

    ImageShape(const Extents<4>& shape, Layout of)
        : batch(shape[0]), channels(of == Layout::channels_first ? shape[1] : shape[3]),
          height(of == Layout::channels_first ? shape[2] : shape[1]),
          width(of == Layout::channels_first ? shape[3] : shape[2]), layout(of) {}
    Extents<4> extents() const {
        if (layout == Layout::channels_first) return {batch, channels, height, width};
        return {batch, height, width, channels};
    }
    index pixels() const { return height * width; }
    const char* axes() const { return layout == Layout::channels_first ? "[N, C, H, W]" : "[N, H, W, C]"; }
};

/// Errors: a number is below `least`.
inline void require_pair(const char* operation, const char* what, const Pair& p, index least) {
    if (p.height < least || p.width < least)
        throw error(operation, "{} is [{}, {}]: must be {}", what, p.height, p.width,
                    least > 0 ? "positive" : "0 or more");
}

} // namespace detail

} // namespace weft::inline WEFT_ABI::nn
