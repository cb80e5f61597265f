// SPDX-License-Identifier: MIT
#pragma once

/// Texts in messages about files, and what of files stands in messages.

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

/// Length of the UTF-8 sequence that starts at `text[at]`, which is there; 0 when it is none (RFC 3629: no overlong
/// forms, no surrogates, at most U+10FFFF).
inline std::size_t utf8_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) -> unsigned {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
    };
    const unsigned first = byte(at);
    if (first < 0x80) return 1;
    std::size_t length = 0;
    unsigned least = 0x80, most = 0xbf; // of the second byte
    if (first >= 0xc2 && first <= 0xdf) {
        length = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        length = 3;
        if (first == 0xe0) least = 0xa0;
        if (first == 0xed) most = 0x9f;
    } else if (first >= 0xf0 && first <= 0xf4) {
        length = 4;
        if (first == 0xf0) least = 0x90;
        if (first == 0xf4) most = 0x8f;
    } else {
        return 0;
    }
    if (byte(at + 1) < least || byte(at + 1) > most) return 0;
    for (std::size_t i = 2; i < length; ++i)
        if (byte(at + i) < 0x80 || byte(at + i) > 0xbf) return 0;
    return length;
}

inline bool is_utf8(std::string_view text) {
    for (std::size_t at = 0, step = 0; at < text.size(); at += step)
        if ((step = utf8_length(text, at)) == 0) return false;
    return true;
}

/// A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
inline std::string json_string(std::string_view text) {
    std::string out = "\"";
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = utf8_length(text, at);
        const char c = text[at];
        if (length == 0)
            out += "\\ufffd";
        else if (c == '"' || c == '\\')
            (out += '\\') += c;
        else if (length == 1 && (c < 0x20 || c == 0x7f))
            (out += "\\u") += hex(static_cast<unsigned char>(c), 4);
        else
            out += text.substr(at, length);
        at += length ? length : 1;
    }
    return out += '"';
}

/// A name from a file, as it stands in messages: quoted, without control characters, not too long.
inline std::string quote_name(std::string_view name) {
    constexpr std::size_t longest = 100;
    if (name.size() <= longest) return json_string(name);
    std::size_t end = longest;
    while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
    return json_string(name.substr(0, end)) + "...";
}

} // namespace weft::inline WEFT_ABI::io::detail
