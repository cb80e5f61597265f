// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/extxyz_reader.hpp>

#include <memory>

namespace weft::inline WEFT_ABI::io {

namespace detail {

/// A key or a text as it stands in the second line.
template <class = void>
std::string comment_word(std::string_view text) {
    const bool bare = !text.empty() && std::none_of(text.begin(), text.end(), [](char c) {
        return is_space(c) || std::string_view("\"'{}[]=\\").find(c) != std::string_view::npos;
    });
    if (bare) return std::string(text);
    std::string word = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\' || c == '\n') word += '\\';
        word += c == '\n' ? 'n' : c;
    }
    return word += '"';
}

/// The elements of an array, row by row, and their columns.
template <class T>
std::span<const T> elements_of(const Tensor<T, 2>& array) {
    return array.values();
}
inline std::span<const std::string> elements_of(const TextColumns& array) { return array.values; }
template <class T>
index columns_of(const Tensor<T, 2>& array) {
    return array.shape()[1];
}
inline index columns_of(const TextColumns& array) { return array.columns; }

/// Errors: parts of the structure do not fit each other, or cannot be written.
template <class = void>
void check_atoms(const Atoms& atoms, const char* operation) {
    const index n = atoms.size();
    if (atoms.positions.shape() != Extents<2>{n, 3})
        throw error(operation, "positions are {}: must be {}", weft::detail::shape_text(atoms.positions.shape()),
                    weft::detail::shape_text(Extents<2>{n, 3}));
    for (const std::int32_t number : atoms.numbers.values())
        if (!is_atomic_number(number)) throw error(operation, "{} is no atomic number", number);
    for (const auto& [key, value] : atoms.info)
        if (key.empty() || key == "Lattice" || key == "Properties" || key == "pbc")
            throw error(operation, "info cannot have the key {}", quote_name(key));
    for (const auto& [key, array] : atoms.arrays) {
        if (key.empty() || key.find(':') != key.npos || key == "pos" || key == "positions" || key == "Z" ||
            key == "numbers")
            throw error(operation, "an array cannot have the name {}", quote_name(key));
        const std::string name = quote_name(key);
        const auto check = [&](const auto& values) {
            const auto elements = elements_of(values);
            const index columns = columns_of(values);
            if (columns < 1 || static_cast<index>(elements.size()) / columns != n ||
                static_cast<index>(elements.size()) % columns != 0)
                throw error(operation, "array {} has {} elements in {} columns: must have {} rows", name,
                            elements.size(), columns, n);
            if constexpr (std::same_as<decltype(values), const TextColumns&>)
                for (const std::string& text : elements)
                    if (text.empty() || std::any_of(text.begin(), text.end(), is_space))
                        throw error(operation, "array {} has the text {}: must not be empty or contain space", name,
                                    quote_name(text));
        };
        std::visit(check, array);
    }
}

template <class Write>
class ExtxyzFormatter {
public:
    ExtxyzFormatter(TextWriter<Write>& out, const char* operation) : out_(out), operation_(operation) {}

    void write(const Atoms& atoms) {
        check_atoms(atoms, operation_);
        // The symbols are those of the numbers, unless the file had others beside the numbers.
        const bool symbols = !atoms.arrays.contains("species") && !atoms.arrays.contains("symbols");
        write_comment(atoms, symbols);
        const double* const x = atoms.positions.data();
        for (index i = 0; i < atoms.size(); ++i) {
            const std::int32_t number = atoms.numbers.data()[i];
            if (symbols)
                out_ << chemical_symbols[static_cast<std::size_t>(number)];
            else
                out_ << number;
            for (index k = 3 * i; k < 3 * i + 3; ++k) out_ << ' ' << x[k];
            for (const auto& [name, array] : atoms.arrays) std::visit([&](const auto& a) { write_row(a, i); }, array);
            out_ << '\n';
        }
    }

private:
    void write_comment(const Atoms& atoms, bool symbols) {
        out_ << atoms.size() << '\n';
        if (std::any_of(atoms.cell.begin(), atoms.cell.end(), [](double c) { return c != 0; })) {
            out_ << "Lattice=\"" << atoms.cell[0];
            for (std::size_t k = 1; k < 9; ++k) out_ << ' ' << atoms.cell[k];
            out_ << "\" ";
        }
        std::string properties = symbols ? "species:S:1:pos:R:3" : "Z:I:1:pos:R:3";
        for (const auto& [name, array] : atoms.arrays) {
            const index columns = std::visit([](const auto& a) { return columns_of(a); }, array);
            properties += message(":{}:{}:{}", {name, std::string_view("RILS").substr(array.index(), 1), columns});
        }
        out_ << "Properties=" << comment_word(properties) << " pbc=\"";
        for (std::size_t k = 0; k < 3; ++k) out_ << (atoms.pbc[k] ? 'T' : 'F') << (k < 2 ? ' ' : '"');
        for (const auto& [key, value] : atoms.info) {
            out_ << ' ' << comment_word(key) << '=';
            std::visit([&](const auto& v) { write_value(v); }, value);
        }
        out_ << '\n';
    }

    void write_value(const std::string& text) { out_ << comment_word(text); }
    void write_value(double number) {
        const std::string text = fmt::format("{}", number);
        out_ << text;
        // Else it would be an integer.
        if (text.find_first_not_of("-0123456789") == text.npos) out_ << ".0";
    }
    void write_value(std::int64_t number) { out_ << number; }
    void write_value(bool logical) { out_ << (logical ? 'T' : 'F'); }
    template <class T>
    void write_value(const std::vector<T>& values) {
        const bool brackets = values.size() < 2; // quotes alone do not make an array
        out_ << (brackets ? '[' : '"');
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (i > 0) out_ << ' ';
            write_value(static_cast<T>(values[i]));
        }
        out_ << (brackets ? ']' : '"');
    }

    template <class A>
    void write_row(const A& array, index i) {
        const index columns = columns_of(array);
        for (index k = i * columns; k < (i + 1) * columns; ++k) {
            const auto& element = elements_of(array)[static_cast<std::size_t>(k)];
            out_ << ' ';
            if constexpr (std::same_as<decltype(element), const bool&>)
                write_value(element);
            else
                out_ << element;
        }
    }

    TextWriter<Write>& out_;
    const char* operation_;
};

template <class Write>
void write_frames(std::span<const Atoms> frames, Write write) {
    TextWriter<Write> out(std::move(write));
    ExtxyzFormatter<Write> formatter(out, "write_extxyz");
    for (const Atoms& atoms : frames) formatter.write(atoms);
    out.flush();
}

} // namespace detail

/// Writes frames in the form that parse_extxyz describes. Numbers have the fewest digits that give them back. A text of
/// info that looks like a number or a logical one is read again as that. The file appears as a whole or not at all
/// (AtomicFile). Errors: parts of a structure do not fit each other; an atomic number is none; a key or the name of an
/// array belongs to the format; a text of an atom is empty or contains space; the file cannot be written.
template <class = void>
void write_extxyz(const std::filesystem::path& path, std::span<const Atoms> frames) {
    detail::save_text(path, [&](auto write) { detail::write_frames(frames, write); });
}

/// The text that write_extxyz would write.
template <class = void>
std::string extxyz_text(std::span<const Atoms> frames) {
    return detail::text_from([&](auto write) { detail::write_frames(frames, write); });
}

/// Options of `write_extxyz`.
struct ExtxyzWriterOptions {
    /// Whether frames that are in the file stay there, and new ones come behind them.
    bool append = false;
};

namespace detail {

/// The bytes of a text up to the end of its last whole frame. Errors: no number of atoms where a frame must begin.
template <class = void>
std::size_t whole_frames(std::string_view text, const std::string& file) {
    LineReader lines(text, file, "write_extxyz");
    std::size_t begin = 0, end = 0;
    while (lines.next()) {
        if (lines.first_character() == '\0') continue;
        begin = end;
        index rest = atom_count(lines);
        bool more = lines.next();
        for (; more && rest > 0; --rest) more = lines.next();
        if (!more) return begin;
        end = text.size() - lines.bytes_left();
    }
    if (end < text.size() || end == 0 || text.back() == '\n') return end;
    // The last line may be a part of one.
    try {
        Atoms atoms;
        ExtxyzParser<>(text.substr(begin), file).next(atoms);
        return end;
    } catch (const Error&) {
        return begin;
    }
}

} // namespace detail

template <class = void>
class BasicExtxyzWriter;
/// @copydoc weft::io::BasicExtxyzWriter
using ExtxyzWriter = BasicExtxyzWriter<>;

/// Writes a trajectory frame by frame as write_extxyz does. When `write` returns, the operating system has the frame:
/// all of them can be read when the program is stopped, but for one that was being written, which a writer that appends
/// later takes away.
template <class>
class BasicExtxyzWriter {
public:
    /// Errors: `path` is there and not a regular file, or cannot be written; to append, it has lines between frames.
    explicit BasicExtxyzWriter(const std::filesystem::path& path, const ExtxyzWriterOptions& options = {})
        : path_(path) {
        if (std::error_code code; std::filesystem::exists(path_, code)) {
            const MappedFile old(path_);
            const auto text = detail::text_of(old.bytes());
            if (options.append) size_ = detail::whole_frames(text, path.string());
            line_is_open_ = size_ > 0 && text[size_ - 1] != '\n';
        }
        // What is written goes to the end of the file, wherever that is.
        file_.reset(std::fopen(path_.string().c_str(), "ab"));
        if (!file_) throw detail::system_error_of("write", path_, errno);
        std::setvbuf(file_.get(), nullptr, _IONBF, 0);
        if (const auto code = cut()) throw error("write", "{}: {}", path_.string(), code.message());
    }

    /// Appends a frame. Errors: as write_extxyz; the file stays as it was.
    void write(const Atoms& atoms) {
        std::string text = line_is_open_ ? "\n" : "";
        text += extxyz_text({&atoms, 1});
        if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size()) {
            const int code = errno;
            cut();
            throw detail::system_error_of("write", path_, code);
        }
        size_ += text.size();
        line_is_open_ = false;
    }

private:
    struct Closer {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };

    /// Cuts off what is behind the frames.
    std::error_code cut() const {
        std::error_code code;
        std::filesystem::resize_file(path_, size_, code);
        return code;
    }

    std::filesystem::path path_;
    std::unique_ptr<std::FILE, Closer> file_;
    std::uintmax_t size_ = 0;
    /// Whether the frames end within a line.
    bool line_is_open_ = false;
};

} // namespace weft::inline WEFT_ABI::io
