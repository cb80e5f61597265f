// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/message.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace weft::inline WEFT_ABI::io::detail {

/// Reads JSON (RFC 8259) front to back, without building a tree: the caller asks for what has to come next. Strict: no
/// byte order mark, no comments, no duplicate keys, strings are UTF-8, nesting is limited. Its errors name the file
/// and the byte, counted from the beginning of the file, where the text starts at byte `base`.
class JsonReader {
public:
    static constexpr int max_depth = 64;

    JsonReader(std::string_view text, std::string file, std::size_t base)
        : text_(text), file_(std::move(file)), base_(base) {}

    /// Calls `member(key)` for every member; it has to read the value.
    template <class F>
    void object(F&& member) {
        enter('{', "an object");
        std::set<std::string> keys;
        if (!accept('}')) {
            do {
                skip_space();
                const std::size_t at = at_;
                const auto [key, added] = keys.insert(string());
                if (!added) fail(at, message("the key {} is there twice", {quote_name(*key)}));
                expect(':', "':'");
                member(*key);
            } while (accept(','));
            expect('}', "',' or '}'");
        }
        --depth_;
    }
    /// Calls `element()` for every element; it has to read it.
    template <class F>
    void array(F&& element) {
        enter('[', "an array");
        if (!accept(']')) {
            do element();
            while (accept(','));
            expect(']', "',' or ']'");
        }
        --depth_;
    }
    std::string string() {
        expect('"', "a string");
        std::string out;
        while (true) {
            const std::size_t at = at_;
            const char c = next("the end of the string");
            if (c == '"') return out;
            if (static_cast<unsigned char>(c) < 0x20) fail(at, "a control character in a string");
            if (c == '\\') {
                escape(out);
            } else {
                const std::size_t length = utf8_length(text_, at);
                if (length == 0) fail(at, "a string that is not UTF-8");
                out += text_.substr(at, length);
                at_ = at + length;
            }
        }
    }
    /// An integer that is not negative.
    index integer() {
        skip_space();
        const std::size_t at = at_;
        const std::string_view token = number();
        index value = 0;
        for (const char c : token) {
            if (c < '0' || c > '9') fail(at, message("the number {} is not an integer >= 0", {token.substr(0, 40)}));
            const index digit = c - '0';
            if (value > (std::numeric_limits<index>::max() - digit) / 10)
                fail(at, message("the number {} is too large", {token.substr(0, 40)}));
            value = 10 * value + digit;
        }
        return value;
    }
    /// A finite number.
    double real() {
        skip_space();
        const std::size_t at = at_;
        const std::string_view token = number();
        double value = 0;
        if (std::from_chars(token.data(), token.data() + token.size(), value).ec != std::errc())
            fail(at, message("the number {} is out of range", {token.substr(0, 40)}));
        return value;
    }
    bool boolean() {
        skip_space();
        const bool value = at_ < text_.size() && text_[at_] == 't';
        word(value ? "true" : "false");
        return value;
    }
    /// Whether the next value is null, which is then read.
    bool null() {
        skip_space();
        if (text_.substr(at_, 4) != "null") return false;
        at_ += 4;
        return true;
    }
    /// Any value.
    void skip() {
        skip_space();
        switch (at_ < text_.size() ? text_[at_] : '\0') {
        case '{':
            return object([this](const std::string&) { skip(); });
        case '[':
            return array([this] { skip(); });
        case '"':
            static_cast<void>(string());
            return;
        case 't':
            return word("true");
        case 'f':
            return word("false");
        case 'n':
            return word("null");
        default:
            static_cast<void>(number());
        }
    }
    /// Nothing but white space is left.
    void end() {
        skip_space();
        if (at_ < text_.size()) fail(at_, "something follows the end of the JSON text");
    }

    [[noreturn]] void fail(const std::string& what) const { fail(at_, what); }

private:
    [[noreturn]] void fail(std::size_t at, const std::string& what) const {
        throw error("json", "{}: byte {}: {}", file_, base_ + at, what);
    }

    void skip_space() {
        while (at_ < text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
            ++at_;
    }
    bool accept(char c) {
        skip_space();
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    void expect(char c, const char* what) {
        if (accept(c)) return;
        if (at_ >= text_.size()) fail(message("the text ends where {} must be", {what}));
        fail(message("found {} where {} must be", {quote_name(text_.substr(at_, 1)), what}));
    }
    void enter(char c, const char* what) {
        expect(c, what);
        if (++depth_ > max_depth) fail(at_ - 1, message("nested deeper than {} levels", {max_depth}));
    }
    char next(const char* what) {
        if (at_ >= text_.size()) fail(message("the text ends where {} must be", {what}));
        return text_[at_++];
    }
    void word(std::string_view expected) {
        if (text_.substr(at_, expected.size()) != expected) fail("an unknown word");
        at_ += expected.size();
    }

    bool digits() {
        const std::size_t start = at_;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
        return at_ > start;
    }
    std::string_view number() {
        const std::size_t start = at_;
        const auto is = [&](char c) { return at_ < text_.size() && text_[at_] == c; };
        if (is('-')) ++at_;
        const bool zero = is('0');
        const std::size_t first = at_;
        bool good = digits() && !(zero && at_ > first + 1);
        if (good && is('.')) {
            ++at_;
            good = digits();
        }
        if (good && (is('e') || is('E'))) {
            ++at_;
            if (is('+') || is('-')) ++at_;
            good = digits();
        }
        if (!good) fail(start, "not a JSON value");
        return text_.substr(start, at_ - start);
    }

    unsigned hex4() {
        unsigned value = 0;
        for (int i = 0; i < 4; ++i) {
            const std::size_t at = at_;
            const char c = next("a hexadecimal digit");
            if (c >= '0' && c <= '9')
                value = 16 * value + static_cast<unsigned>(c - '0');
            else if (c >= 'a' && c <= 'f')
                value = 16 * value + static_cast<unsigned>(c - 'a') + 10;
            else if (c >= 'A' && c <= 'F')
                value = 16 * value + static_cast<unsigned>(c - 'A') + 10;
            else
                fail(at, "\\u needs four hexadecimal digits");
        }
        return value;
    }
    void escape(std::string& out) {
        const std::size_t at = at_ - 1;
        const char c = next("an escape sequence");
        constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
        if (const auto i = letters.find(c); i != letters.npos) {
            out += meanings[i];
            return;
        }
        if (c != 'u') fail(at, "an unknown escape sequence");
        unsigned code = hex4();
        if (code >= 0xd800 && code <= 0xdfff) {
            if (code >= 0xdc00 || text_.substr(at_, 2) != "\\u") fail(at, "half of a surrogate pair");
            at_ += 2;
            const unsigned low = hex4();
            if (low < 0xdc00 || low > 0xdfff) fail(at, "half of a surrogate pair");
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        const auto put = [&](unsigned bits) { out += static_cast<char>(static_cast<unsigned char>(bits)); };
        if (code < 0x80) {
            put(code);
            return;
        }
        if (code < 0x800) {
            put(0xc0 | code >> 6);
        } else {
            if (code < 0x10000) {
                put(0xe0 | code >> 12);
            } else {
                put(0xf0 | code >> 18);
                put(0x80 | (code >> 12 & 0x3f));
            }
            put(0x80 | (code >> 6 & 0x3f));
        }
        put(0x80 | (code & 0x3f));
    }

    std::string_view text_;
    std::string file_;
    std::size_t base_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

} // namespace weft::inline WEFT_ABI::io::detail
