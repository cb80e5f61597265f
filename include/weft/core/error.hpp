// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/abi.hpp>

#include <fmt/format.h>

#include <charconv>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weft::inline WEFT_ABI {

/// What weft throws for a wrong shape, index, option or file. The message reads `weft: <operation>: <what and why>`.
class Error : public std::invalid_argument {
public:
    using std::invalid_argument::invalid_argument;
};

namespace detail {

/// What stands in a message for one {}. (fmt::format with every combination of types costs too much compile time.)
struct Piece {
    std::string text;
    template <class A>
    Piece(const A& a) {
        if constexpr (std::convertible_to<const A&, std::string_view>)
            text = std::string_view(a);
        else if constexpr (std::integral<A> && !std::same_as<A, bool> && !std::same_as<A, char>)
            text = std::to_string(a);
        else if constexpr (std::same_as<A, double> || std::same_as<A, float>) {
            char digits[32];
            text.assign(digits, std::to_chars(digits, digits + 32, a, std::chars_format::general).ptr);
        } else
            text = fmt::format("{}", a);
    }
};

/// `format`, in which each {} is replaced by the next piece.
inline std::string message(std::string_view format, std::initializer_list<Piece> pieces) {
    std::string text;
    for (const Piece& piece : pieces) {
        const std::size_t hole = format.find("{}");
        text += format.substr(0, hole);
        text += piece.text;
        format.remove_prefix(hole + 2);
    }
    text += format;
    return text;
}

/// A text with N times {}; any other number does not compile.
template <std::size_t N>
struct MessageFormat {
    std::string_view text;
    consteval MessageFormat(const char* format) : text(format) {
        std::size_t holes = 0;
        for (std::size_t at = text.find("{}"); at != text.npos; at = text.find("{}", at + 2)) ++holes;
        if (holes != N) throw "weft: a message must have one {} for each argument";
    }
};

} // namespace detail

/// An Error of operation `operation`; thrown by the caller: `throw error("matmul", "a is {}, b is {}", ...)`.
template <class... A>
[[nodiscard]] WEFT_NOINLINE Error error(std::string_view operation, detail::MessageFormat<sizeof...(A)> format,
                                        const A&... arguments) {
    return Error(detail::message("weft: {}: ", {operation}) + detail::message(format.text, {arguments...}));
}

} // namespace weft::inline WEFT_ABI
