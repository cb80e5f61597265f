// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/atomic_file.hpp>
#include <weft/io/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstring>
#include <string>
#include <string_view>

/// Text files of one record a line: reading and writing.
namespace weft::inline WEFT_ABI::io::detail {

/// A whole field as a number; an explicit plus is allowed. A number too small for float becomes 0. False when the field
/// is something else, or does not fit.
template <class T>
bool parse_number(std::string_view field, T& value) {
    if (field.size() > 1 && field[0] == '+' && field[1] != '-') field.remove_prefix(1);
    const char* const end = field.data() + field.size();
    const auto [stop, code] = std::from_chars(field.data(), end, value);
    if constexpr (std::same_as<T, float>) {
        if (double wide = 0;
            code == std::errc::result_out_of_range && parse_number(field, wide) && std::abs(wide) < 1) {
            value = static_cast<float>(wide);
            return true;
        }
    }
    return code == std::errc() && stop == end;
}

/// The lines of a text and their fields, front to back. Errors name the file and the line.
class LineReader {
public:
    /// Fields that are looked at; others are counted only.
    static constexpr std::size_t most_fields = 3;

    LineReader(std::string_view text, std::string file, const char* operation)
        : rest_(text), file_(std::move(file)), operation_(operation) {}

    [[nodiscard]] Error fail(std::string_view text, std::initializer_list<Piece> pieces) const {
        return error(operation_, "{}: line {}: {}", file_, std::max<index>(number_, 1), message(text, pieces));
    }

    /// Moves to the next line, which ends with "\n", "\r\n" or the text. False when there is none.
    bool next() {
        if (rest_.empty()) return false;
        ++number_;
        const auto* const newline = static_cast<const char*>(std::memchr(rest_.data(), '\n', rest_.size()));
        const std::size_t length = newline == nullptr ? rest_.size() : static_cast<std::size_t>(newline - rest_.data());
        line_ = rest_.substr(0, length);
        rest_.remove_prefix(newline == nullptr ? length : length + 1);
        if (!line_.empty() && line_.back() == '\r') line_.remove_suffix(1);
        return true;
    }
    /// Without its end.
    std::string_view line() const noexcept { return line_; }
    /// Counted from 1.
    index number() const noexcept { return number_; }
    /// Bytes behind the line.
    std::size_t bytes_left() const noexcept { return rest_.size(); }
    /// The first character that is no space or tab; a zero byte of a blank line.
    char first_character() const noexcept {
        const std::size_t at = line_.find_first_not_of(" \t");
        return at == line_.npos ? '\0' : line_[at];
    }

    /// Cuts the line at `delimiter`, or at any number of spaces and tabs when that is a space, and returns the number
    /// of fields. Spaces around a field do not belong to it. A field may be "quoted"; "" in it is a quote. Errors: a
    /// field between delimiters is empty; a quote that does not end or that something follows.
    std::size_t split(char delimiter) {
        const char* at = line_.data();
        const char* const end = at + line_.size();
        const bool spaces = delimiter == ' ';
        const auto is_space = [&](char c) { return c == ' ' || (c == '\t' && delimiter != '\t'); };
        const auto skip_space = [&] {
            while (at != end && is_space(*at)) ++at;
        };
        std::size_t count = 0;
        for (skip_space(); at != end || count > 0;) {
            std::string_view field;
            if (at != end && *at == '"') {
                field = quoted(at, end, count);
            } else {
                const char* const begin = at;
                while (at != end && (spaces ? !is_space(*at) : *at != delimiter)) ++at;
                const char* last = at;
                while (last != begin && is_space(last[-1])) --last;
                field = std::string_view(begin, static_cast<std::size_t>(last - begin));
                if (field.empty()) throw fail("field {} is empty", {count + 1});
            }
            if (count < most_fields) fields_[count] = field;
            ++count;
            const char* const behind = at;
            skip_space();
            if (at == end) break;
            if (spaces ? at == behind : *at != delimiter)
                throw fail("found {} after field {}, where {} must be",
                           {quote_name({at, 1}), count, quote_name({&delimiter, 1})});
            if (spaces) continue;
            ++at;
            skip_space();
        }
        return count;
    }
    std::string_view field(std::size_t i) const noexcept { return fields_[i]; }

private:
    std::string_view quoted(const char*& at, const char* end, std::size_t count) {
        const char* const begin = ++at;
        bool doubled = false;
        while (at != end && (*at != '"' || (at + 1 != end && at[1] == '"'))) {
            if (*at == '"') {
                doubled = true;
                ++at;
            }
            ++at;
        }
        if (at == end) throw fail("field {}: its quote does not end in the line", {count + 1});
        const std::string_view text(begin, static_cast<std::size_t>(at - begin));
        ++at;
        if (!doubled || count >= most_fields) return text;
        std::string& own = unquoted_[count];
        own.clear();
        for (std::size_t i = 0; i < text.size(); ++i) {
            own += text[i];
            if (text[i] == '"') ++i;
        }
        return own;
    }

    std::string_view rest_, line_;
    std::string file_;
    const char* operation_;
    index number_ = 0;
    std::array<std::string_view, most_fields> fields_;
    std::array<std::string, most_fields> unquoted_;
};

/// Gathers a text into blocks, each of which goes to write(block).
template <class Write>
class TextWriter {
public:
    explicit TextWriter(Write write) : write_(std::move(write)) {}

    TextWriter& operator<<(std::string_view text) {
        buffer_ += text;
        if (buffer_.size() >= block) flush();
        return *this;
    }
    TextWriter& operator<<(char c) { return *this << std::string_view(&c, 1); }
    /// A number, in the fewest digits that give it back.
    template <class T>
    requires(std::integral<T> || std::floating_point<T>) TextWriter& operator<<(T number) {
        char digits[64];
        const auto [end, code] = std::to_chars(digits, digits + sizeof digits, number);
        return *this << std::string_view(digits, static_cast<std::size_t>(end - digits));
    }
    /// To be called once, last.
    void flush() {
        write_(std::string_view(buffer_));
        buffer_.clear();
    }

private:
    static constexpr std::size_t block = std::size_t{1} << 20;

    Write write_;
    std::string buffer_;
};

/// What `write_text(write)` writes, as a file, which appears as a whole or not at all (AtomicFile).
template <class F>
void save_text(const std::filesystem::path& path, F&& write_text) {
    AtomicFile file(path);
    write_text([&](std::string_view text) { file.write(text); });
    file.commit();
}
/// The same as a string.
template <class F>
std::string text_from(F&& write_text) {
    std::string all;
    write_text([&](std::string_view text) { all += text; });
    return all;
}

} // namespace weft::inline WEFT_ABI::io::detail
