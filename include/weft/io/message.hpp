// SPDX-License-Identifier: MIT
#pragma once

/// Texts in messages about files.

#include <weft/core/error.hpp>
#include <weft/core/index.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace weft::inline WEFT_ABI::io::detail {

using weft::detail::message;
using weft::detail::Piece;

/// The last `digits` hexadecimal digits of a number.
inline std::string hex(std::size_t number, int digits) {
    std::string text(static_cast<std::size_t>(digits), '0');
    for (std::size_t i = text.size(); i-- > 0; number >>= 4) text[i] = "0123456789abcdef"[number & 15];
    return text;
}

inline std::string join(std::span<const index> numbers, std::string_view separator) {
    std::string text;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (i > 0) text += separator;
        text += std::to_string(numbers[i]);
    }
    return text;
}

} // namespace weft::inline WEFT_ABI::io::detail
