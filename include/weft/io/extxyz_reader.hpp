// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/atoms.hpp>
#include <weft/io/edge_list.hpp>
#include <weft/io/elements.hpp>

#include <map>
#include <set>

namespace weft::inline WEFT_ABI::io {

namespace detail {

constexpr bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// Cuts the next field off the front of a text, where `is_separator(c)` is between fields. Empty: there is none left.
template <class F>
std::string_view next_field(std::string_view& text, F&& is_separator) {
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end && is_separator(*at)) ++at;
    const char* const begin = at;
    while (at != end && !is_separator(*at)) ++at;
    text = std::string_view(at, static_cast<std::size_t>(end - at));
    return {begin, static_cast<std::size_t>(at - begin)};
}

/// The fields of a value of several, which spaces or commas separate.
template <class = void>
std::vector<std::string_view> fields_of(std::string_view text) {
    std::vector<std::string_view> fields;
    while (true) {
        const std::string_view field = next_field(text, [](char c) { return is_space(c) || c == ','; });
        if (field.empty()) return fields;
        fields.push_back(field);
    }
}

/// A whole field as a number or logical. False when it is something else.
template <class T>
bool parse_field(std::string_view field, T& value) {
    if constexpr (std::same_as<T, bool>) {
        value = field == "T" || field == "True" || field == "true" || field == "TRUE";
        return value || field == "F" || field == "False" || field == "false" || field == "FALSE";
    } else {
        return parse_number(field, value) && field.back() != ')'; // no nan(...)
    }
}
template <class T>
bool parse_fields(const std::vector<std::string_view>& fields, std::vector<T>& values) {
    values.clear();
    for (const std::string_view field : fields) {
        T value{};
        if (!parse_field(field, value)) return false;
        values.push_back(value);
    }
    return true;
}

/// What the text of a value means. `array`: one number is an array too.
template <class = void>
InfoValue info_value(std::string text, bool array) {
    const auto fields = fields_of(text);
    if (fields.empty()) return array ? InfoValue(std::vector<std::int64_t>()) : InfoValue(std::move(text));
    InfoValue result;
    const auto is = [&]<class T>(std::vector<T> values) {
        if (!parse_fields(fields, values)) return false;
        if (values.size() == 1 && !array)
            result = T(values[0]);
        else
            result = std::move(values);
        return true;
    };
    if (is(std::vector<std::int64_t>()) || is(std::vector<double>()) || is(std::vector<bool>())) return result;
    return text;
}

/// The line with which a frame begins.
template <class = void>
index atom_count(const LineReader& reader) {
    std::string_view line = reader.line();
    index count = 0;
    if (!parse_number(next_field(line, is_space), count) || count < 0 || !next_field(line, is_space).empty())
        throw reader.fail("is {}: must be a number of atoms, which begins a frame", {quote_name(reader.line())});
    return count;
}

/// The frames of a text, front to back.
template <class = void>
class ExtxyzParser {
public:
    ExtxyzParser(std::string_view text, std::string file) : reader_(text, std::move(file), "read_extxyz") {}

    bool next(Atoms& atoms) {
        do {
            if (!reader_.next()) return false;
        } while (reader_.first_character() == '\0');
        const index count = atom_count(reader_);
        if (!reader_.next()) throw reader_.fail("the file ends where the second line of a frame must be", {});
        Atoms frame;
        read_properties(read_comment(frame));
        allocate(frame, count);
        for (index i = 0; i < count; ++i) {
            if (!reader_.next()) throw reader_.fail("the file ends after {} of {} atoms", {i, count});
            read_atom(i, count);
        }
        for (Property& p : properties_)
            if (p.kind >= Kind::real) frame.arrays.append(std::move(p.name), std::move(p.array));
        atoms = std::move(frame);
        return true;
    }

private:
    /// Columns from real on are arrays; these kinds are those of the types.
    enum class Kind { symbol, number, position, real, integer, logical, text };
    static constexpr std::string_view types = "RILS";
    static Kind kind_of(std::size_t type) { return static_cast<Kind>(static_cast<std::size_t>(Kind::real) + type); }

    struct Property {
        std::string name;
        Kind kind;
        index columns;
        AtomArray array{};
        /// Where the elements go: those of a tensor, or a vector of texts.
        void* values = nullptr;
    };

    /// A key or a value of the second line. `array`: in brackets of an array, which may have one element.
    struct Word {
        std::string text;
        bool array = false;
        bool operator==(const Word&) const = default;
    };

    /// What ends a word that begins with this character; a zero byte of one without quotes or brackets.
    static char closing(char open) {
        return open == '"' || open == '\'' ? open : open == '[' ? ']' : open == '{' ? '}' : '\0';
    }
    Word read_word(std::string_view line, std::size_t& at, bool key) const {
        const char open = line[at], close = closing(open);
        const bool bare = close == '\0';
        const auto ends_bare = [&](char c) { return is_space(c) || (key && c == '='); };
        Word word;
        if (!bare) ++at;
        bool nested = false;
        index depth = bare ? 0 : 1;
        for (; at < line.size(); ++at) {
            char c = line[at];
            if (c == '\\' && at + 1 < line.size()) {
                c = line[++at];
                word.text += c == 'n' ? '\n' : c;
                continue;
            }
            if (bare && ends_bare(c)) break;
            if (!bare && c == close) {
                if (--depth == 0) break;
            } else if (!bare && c == open) {
                ++depth;
                nested = true;
            }
            word.text += c;
        }
        if (bare) return word;
        if (depth > 0) throw reader_.fail("{} has no end", {quote_name({&open, 1})});
        ++at;
        if (at < line.size() && !ends_bare(line[at]))
            throw reader_.fail("found {} after {}, where a space must be",
                               {quote_name(line.substr(at, 1)), quote_name({&close, 1})});
        word.array = open == '[' && !nested;
        if (nested) word.text = open + word.text + close;
        return word;
    }

    /// Whether what begins a text is no value, of a key before it, but the next key: `empty= next=1`.
    static bool is_key(std::string_view text) {
        const std::size_t end = text.find_first_of("= \t");
        return closing(text[0]) == '\0' && end != 0 && end != text.npos && text[end] == '=';
    }
    /// Reads the second line and returns its Properties.
    std::string read_comment(Atoms& frame) const {
        std::string properties = "species:S:1:pos:R:3";
        std::string_view line = reader_.line();
        while (!line.empty() && is_space(line.back())) line.remove_suffix(1);
        std::size_t at = 0;
        const auto skip_space = [&] {
            while (at < line.size() && is_space(line[at])) ++at;
        };
        skip_space();
        if (line.find('=') == line.npos) {
            if (at < line.size()) frame.info.append("comment", info_value(std::string(line.substr(at)), false));
            return properties;
        }
        std::map<std::string, Word> known;
        while (at < line.size()) {
            const std::string key = read_word(line, at, true).text;
            if (key.empty()) throw reader_.fail("a value has no key", {});
            Word value{"T"};
            skip_space();
            if (at < line.size() && line[at] == '=') {
                const bool spaced = ++at < line.size() && is_space(line[at]);
                skip_space();
                if (at < line.size() && !(spaced && is_key(line.substr(at))))
                    value = read_word(line, at, false);
                else
                    value = {};
                skip_space();
            }
            const auto [entry, added] = known.emplace(key, value);
            if (!added && entry->second != value)
                throw reader_.fail("{} is there twice, with different values", {quote_name(key)});
            if (key == "Properties")
                properties = value.text;
            else if (added && key != "Lattice" && key != "pbc")
                frame.info.append(key, info_value(std::move(value.text), value.array));
        }
        if (const auto lattice = known.find("Lattice"); lattice != known.end()) {
            read_lattice(frame, lattice->second.text);
            frame.pbc = {true, true, true};
        }
        if (const auto pbc = known.find("pbc"); pbc != known.end()) read_pbc(frame, pbc->second.text);
        return properties;
    }
    void read_lattice(Atoms& frame, const std::string& text) const {
        std::vector<double> values;
        if (!parse_fields(fields_of(text), values) || values.size() != 9 ||
            !std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); }))
            throw reader_.fail("Lattice is {}: must be 9 numbers", {quote_name(text)});
        std::copy(values.begin(), values.end(), frame.cell.begin());
    }
    void read_pbc(Atoms& frame, const std::string& text) const {
        const auto fields = fields_of(text);
        bool good = fields.size() == 1 || fields.size() == 3;
        for (std::size_t i = 0; i < 3 && good; ++i) {
            const std::string_view field = fields[fields.size() == 1 ? 0 : i];
            good = parse_field(field == "1" ? "T" : field == "0" ? "F" : field, frame.pbc[i]);
        }
        if (!good) throw reader_.fail("pbc is {}: must be three times T or F", {quote_name(text)});
    }

    void read_properties(std::string_view text) {
        const auto bad = [&](std::string_view why, std::initializer_list<Piece> pieces) {
            return reader_.fail("Properties is {}: {}", {quote_name(text), message(why, pieces)});
        };
        std::vector<std::string_view> fields;
        for (std::size_t at = 0, end = 0; end != text.npos; at = end + 1) {
            end = text.find(':', at);
            fields.push_back(text.substr(at, end - at));
        }
        properties_.clear();
        columns_ = 0;
        std::set<std::string_view> names;
        for (std::size_t i = 0; i < fields.size(); i += 3) {
            constexpr index limit = std::numeric_limits<std::int32_t>::max();
            index columns = 0;
            if (i + 2 >= fields.size() || fields[i].empty() || fields[i + 1].size() != 1 ||
                types.find(fields[i + 1]) == types.npos || !parse_number(fields[i + 2], columns) || columns < 1 ||
                columns > limit)
                throw bad("must be name:type:columns:..., where types are R, I, L and S", {});
            if (!names.insert(fields[i]).second) throw bad("{} is there twice", {quote_name(fields[i])});
            properties_.push_back({std::string(fields[i]), kind_of(types.find(fields[i + 1])), columns});
            columns_ += columns;
        }
        // Columns that are no arrays have a kind of their own.
        const auto take = [&](std::string_view name, std::string_view other, std::string_view form, Kind kind) {
            bool found = false;
            for (Property& p : properties_) {
                if (p.name != name && p.name != other) continue;
                if (found) throw bad("{} and {} are the same", {name, other});
                if (p.kind != kind_of(types.find(form[0])) || p.columns != form[2] - '0')
                    throw bad("{} must be {}", {p.name, form});
                p.kind = kind;
                found = true;
            }
            return found;
        };
        if (!take("pos", "positions", "R:3", Kind::position)) throw bad("must have pos:R:3", {});
        if (!take("Z", "numbers", "I:1", Kind::number) && !take("species", "symbols", "S:1", Kind::symbol))
            throw bad("must have species:S:1 or Z:I:1", {});
    }

    void allocate(Atoms& frame, index count) {
        // A column takes at least 2 bytes, the last one 1: what claims more must not take memory.
        const index room = (static_cast<index>(reader_.bytes_left()) + 1) / 2 / columns_;
        if (count > room)
            throw reader_.fail("the frame has {} atoms of {} columns: the rest of the file has room for {}",
                               {count, columns_, room});
        frame.numbers = Tensor<std::int32_t, 1>::empty({count});
        frame.positions = Tensor<double, 2>::empty({count, 3});
        for (Property& p : properties_) {
            const auto make = [&]<class T>(T array) -> T& { return p.array.template emplace<T>(std::move(array)); };
            const Extents<2> shape{count, p.columns};
            switch (p.kind) {
            case Kind::symbol:
            case Kind::number:
                p.values = frame.numbers.mutable_data();
                break;
            case Kind::position:
                p.values = frame.positions.mutable_data();
                break;
            case Kind::real:
                p.values = make(Tensor<double, 2>::empty(shape)).mutable_data();
                break;
            case Kind::integer:
                p.values = make(Tensor<std::int64_t, 2>::empty(shape)).mutable_data();
                break;
            case Kind::logical:
                p.values = make(Tensor<bool, 2>::empty(shape)).mutable_data();
                break;
            case Kind::text:
                p.values = &make(TextColumns{{}, p.columns}).values;
            }
        }
    }

    void read_atom(index i, index count) const {
        std::string_view rest = reader_.line();
        for (const Property& p : properties_)
            for (index k = i * p.columns, end = k + p.columns; k < end; ++k) {
                const std::string_view field = next_field(rest, is_space);
                if (!read_field(p, k, field)) throw fail_field(p, field, i, count);
            }
        if (!next_field(rest, is_space).empty()) throw fail_columns(i, count);
    }
    static bool read_field(const Property& p, index k, std::string_view field) {
        switch (p.kind) {
        case Kind::symbol:
            return (static_cast<std::int32_t*>(p.values)[k] = number_of(field)) >= 0;
        case Kind::number: {
            std::int32_t& number = static_cast<std::int32_t*>(p.values)[k];
            return parse_number(field, number) && is_atomic_number(number);
        }
        case Kind::position:
        case Kind::real:
            return parse_field(field, static_cast<double*>(p.values)[k]);
        case Kind::integer:
            return parse_field(field, static_cast<std::int64_t*>(p.values)[k]);
        case Kind::logical:
            return parse_field(field, static_cast<bool*>(p.values)[k]);
        case Kind::text:
            static_cast<std::vector<std::string>*>(p.values)->emplace_back(field);
            return !field.empty();
        }
        return false;
    }
    /// Of a symbol in any case of letters.
    static std::int32_t number_of(std::string_view symbol) {
        char letters[2];
        if (symbol.size() > 2) return -1;
        for (std::size_t i = 0; i < symbol.size(); ++i) {
            const char c = symbol[i];
            if (i == 0 && c >= 'a' && c <= 'z')
                letters[i] = static_cast<char>(c - 'a' + 'A');
            else if (i == 1 && c >= 'A' && c <= 'Z')
                letters[i] = static_cast<char>(c - 'A' + 'a');
            else
                letters[i] = c;
        }
        return find_atomic_number({letters, symbol.size()});
    }

    index count_columns() const {
        std::string_view rest = reader_.line();
        index count = 0;
        while (!next_field(rest, is_space).empty()) ++count;
        return count;
    }
    Error fail_columns(index i, index count) const {
        return reader_.fail("is atom {} of {} and has {} columns: must have {}",
                            {i + 1, count, count_columns(), columns_});
    }
    Error fail_field(const Property& p, std::string_view field, index i, index count) const {
        // Of another number of columns each may be the wrong one.
        if (count_columns() != columns_) return fail_columns(i, count);
        constexpr std::string_view expected[] = {"a symbol of an element", "an atomic number",     "a number that fits",
                                                 "a number that fits",     "an integer that fits", "T or F"};
        return reader_.fail("{} is {}: must be {}",
                            {quote_name(p.name), quote_name(field), expected[static_cast<std::size_t>(p.kind)]});
    }

    LineReader reader_;
    std::vector<Property> properties_;
    index columns_ = 0;
};

template <class = void>
std::vector<Atoms> read_frames(ExtxyzParser<>& parser) {
    std::vector<Atoms> frames;
    for (Atoms atoms; parser.next(atoms);) frames.push_back(std::move(atoms));
    return frames;
}

} // namespace detail

template <class = void>
class BasicExtxyzReader;
/// @copydoc weft::io::BasicExtxyzReader
using ExtxyzReader = BasicExtxyzReader<>;

/// Reads the frames of a file one after the other, for trajectories that are larger than the memory; see parse_extxyz.
///
///     io::ExtxyzReader reader("trajectory.xyz");
///     for (io::Atoms atoms; reader.next(atoms);) ...
template <class>
class BasicExtxyzReader {
public:
    /// Errors: the file cannot be read.
    explicit BasicExtxyzReader(const std::filesystem::path& path)
        : file_(path), parser_(detail::text_of(file_.bytes()), path.string()) {}

    /// The next frame; false when there is none. Errors: as parse_extxyz; `atoms` stays as it was.
    bool next(Atoms& atoms) { return parser_.next(atoms); }

private:
    MappedFile file_;
    detail::ExtxyzParser<> parser_;
};

/// The frames of a text in the extended XYZ format of ASE and libAtoms, each of which has the form
///
///     3
///     Lattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 pbc="T T F"
///     O 0.00 0.00 0.11  0.0 0.0  0.1
///     H 0.00 0.76 -0.47 0.0 0.2 -0.1
///     H 0.00 -.76 -0.47 0.0 -.2 -0.1
///
/// The first line is the number of atoms; blank lines before it are skipped. The second one is keys and values:
/// `key=value`, or `key` for `key=T`; with spaces in them they are quoted, "so" or 'so', and outside of quotes, too, a
/// backslash stands before a character that means itself, \n for the end of a line. Quoted or not, a value of one word
/// is an integer, a real number, a logical one (T, F, true, false), or else a text; several numbers or logical ones,
/// with spaces or commas between them, are an array, which may stand in {} or []. [5] is an array of one, [[1, 2]] a
/// text, and so is "_JSON ...", as it stands. A line without `=` is the title of a plain XYZ file: info "comment".
///
/// Lattice holds the three vectors one after the other. Without pbc the structure repeats along all of them, without
/// Lattice along none. Properties names the columns, in any order: name, type (R, I, L, S: real, integer, logical,
/// text), number of columns. Without it they are species:S:1:pos:R:3. Elements are species, symbols in any case of
/// letters, or numbers in Z:I:1, beside which species may be any texts. pos and Z are also called positions and
/// numbers, species symbols. All else becomes `info` and `arrays`, in the order of the file; what is written by
/// write_extxyz is read again as the same.
///
/// One pass, O(bytes). Errors, with the number of the line: another form; another number of atoms or columns than the
/// frame says; a value that is not of the type of its column; an unknown element; a key twice with different values.
template <class = void>
std::vector<Atoms> parse_extxyz(std::string_view text, std::string name = "memory") {
    detail::ExtxyzParser<> parser(text, std::move(name));
    return detail::read_frames(parser);
}

/// The frames of a file, see parse_extxyz.
template <class = void>
std::vector<Atoms> read_extxyz(const std::filesystem::path& path) {
    const MappedFile file(path);
    return parse_extxyz(detail::text_of(file.bytes()), path.string());
}

} // namespace weft::inline WEFT_ABI::io
