// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/abi.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace weft::inline WEFT_ABI::detail {

/// A text that is an argument of a template.
template <std::size_t N>
struct FixedText {
    char text[N];
    consteval FixedText(const char (&t)[N]) { std::copy_n(t, N, text); }
    constexpr std::string_view view() const { return {text, N - 1}; }
};

} // namespace weft::inline WEFT_ABI::detail
