// SPDX-License-Identifier: MIT
#pragma once

/// NumPy's array files, versions 1 to 3. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

#include <weft/io/any_tensor.hpp>
#include <weft/io/atomic_file.hpp>
#include <weft/io/json.hpp>
#include <weft/io/mapped_file.hpp>

namespace weft::inline WEFT_ABI::io {

namespace detail {

struct NpyHeader {
    DType dtype = DType::f32;
    std::endian order = std::endian::little;
    bool fortran = false;
    std::vector<index> shape;
};

/// Reads the dictionary of an npy header, a Python literal: {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4),
/// }.
template <class = void>
class NpyHeaderReader {
public:
    NpyHeaderReader(std::string_view text, const std::string& file, std::size_t base)
        : text_(text), file_(file), base_(base) {}

    NpyHeader read() {
        NpyHeader header;
        bool has_descr = false, has_order = false, has_shape = false;
        const auto once = [&](bool& has, std::string_view key) {
            if (std::exchange(has, true)) fail(message("the key '{}' is there twice", {key}));
        };
        expect('{');
        while (!accept('}')) {
            const std::string_view key = string();
            expect(':');
            if (key == "descr") {
                once(has_descr, key);
                read_descr(header);
            } else if (key == "fortran_order") {
                once(has_order, key);
                header.fortran = boolean();
            } else if (key == "shape") {
                once(has_shape, key);
                read_shape(header.shape);
            } else {
                fail(message("an unknown key {}", {quote_name(key)}));
            }
            if (!accept(',')) {
                expect('}');
                break;
            }
        }
        skip_space();
        if (at_ < text_.size()) fail("something follows the dictionary");
        if (!has_descr || !has_order || !has_shape) fail("needs descr, fortran_order and shape");
        return header;
    }

private:
    [[noreturn]] void fail(const std::string& what) const {
        throw error("npy", "{}: byte {}: {}", file_, base_ + at_, what);
    }
    void skip_space() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    }
    bool accept(char c) {
        skip_space();
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    void expect(char c) {
        if (!accept(c)) fail(message("'{}' must be here", {std::string(1, c)}));
    }
    bool word(std::string_view expected) {
        skip_space();
        if (text_.substr(at_, expected.size()) != expected) return false;
        at_ += expected.size();
        return true;
    }
    std::string_view string() {
        skip_space();
        const char quote = at_ < text_.size() ? text_[at_] : '\0';
        if (quote == '[' || quote == '(') fail("structured arrays cannot be read");
        if (quote != '\'' && quote != '"') fail("a string must be here");
        const std::size_t end = text_.find(quote, at_ + 1);
        if (end == text_.npos) fail("the string does not end");
        const std::string_view content = text_.substr(at_ + 1, end - at_ - 1);
        if (content.find('\\') != content.npos) fail("an escape sequence");
        at_ = end + 1;
        return content;
    }
    bool boolean() {
        if (word("True")) return true;
        if (!word("False")) fail("True or False must be here");
        return false;
    }
    void read_shape(std::vector<index>& shape) {
        expect('(');
        while (!accept(')')) {
            shape.push_back(integer());
            accept('L'); // Python 2
            if (accept(',')) continue;
            if (shape.size() == 1) fail("a tuple of one needs a comma");
            expect(')');
            break;
        }
    }
    index integer() {
        skip_space();
        const std::size_t start = at_;
        index value = 0;
        for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
            const index digit = text_[at_] - '0';
            if (value > (std::numeric_limits<index>::max() - digit) / 10) fail("the extent is too large");
            value = 10 * value + digit;
        }
        if (at_ == start) fail("an extent must be here, an integer >= 0");
        return value;
    }
    void read_descr(NpyHeader& header) {
        const std::string_view text = string();
        const std::string_view kind = text.empty() ? text : text.substr(1);
        constexpr std::pair<std::string_view, DType> kinds[] = {
            {"b1", DType::boolean}, {"u1", DType::u8},  {"i1", DType::i8},  {"u2", DType::u16},  {"i2", DType::i16},
            {"f2", DType::f16},     {"u4", DType::u32}, {"i4", DType::i32}, {"f4", DType::f32},  {"u8", DType::u64},
            {"i8", DType::i64},     {"f8", DType::f64}, {"c8", DType::c64}, {"c16", DType::c128}};
        for (const auto& [code, dtype] : kinds) {
            if (kind != code) continue;
            header.dtype = dtype;
            switch (text[0]) {
            case '<':
                header.order = std::endian::little;
                return;
            case '>':
                header.order = std::endian::big;
                return;
            case '=':
                header.order = std::endian::native;
                return;
            case '|':
                if (item_size(dtype) == 1) return;
            }
        }
        fail(message("unknown descr {}{}", {quote_name(text), kind == "O" ? ": pickled objects are never read" : ""}));
    }

    std::string_view text_;
    const std::string& file_;
    std::size_t base_;
    std::size_t at_ = 0;
};

/// Copies `from`, whose first axis runs fastest (Fortran order), to `to` in row-major order.
template <class = void>
void reorder_fortran(const AnyTensor& from, std::byte* to) {
    const std::size_t item = item_size(from.dtype()), rank = from.shape().size();
    std::vector<index> at(rank, 0), strides(rank, 1);
    for (std::size_t i = 1; i < rank; ++i) strides[i] = strides[i - 1] * from.shape()[i - 1];
    index offset = 0;
    for (index left = from.size(); left > 0; --left, to += item) {
        std::memcpy(to, from.bytes().data() + static_cast<std::size_t>(offset) * item, item);
        for (std::size_t axis = rank; axis-- > 0;) {
            offset += strides[axis];
            if (++at[axis] < from.shape()[axis]) break;
            offset -= strides[axis] * at[axis];
            at[axis] = 0;
        }
    }
}

/// The array whose npy file is all of `storage`; `file` names it in messages.
template <class = void>
AnyTensor npy_tensor(const Storage& storage, const std::string& file) {
    const std::span<const std::byte> bytes(storage.data(), storage.bytes());
    const auto byte = [&](std::size_t i) { return std::to_integer<std::size_t>(bytes[i]); };
    const auto text = [&](std::size_t begin, std::size_t count) {
        return std::string_view(reinterpret_cast<const char*>(bytes.data() + begin), count);
    };
    if (bytes.size() < 10 || text(0, 6) != "\x93NUMPY") throw error("npy", "{}: byte 0: not an npy file", file);
    const std::size_t version = byte(6);
    if (version < 1 || version > 3 || byte(7) != 0)
        throw error("npy", "{}: byte 6: unknown version {}.{}", file, version, byte(7));
    const std::size_t begin = version == 1 ? 10 : 12;
    if (bytes.size() < begin) throw error("npy", "{}: ends within its header", file);
    std::size_t length = byte(8) | byte(9) << 8;
    if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
    if (length > bytes.size() - begin)
        throw error("npy", "{}: byte 8: the header has {} bytes, the file only {} more", file, length,
                    bytes.size() - begin);

    NpyHeader header = NpyHeaderReader<>(text(begin, length), file, begin).read();
    const std::size_t data = begin + length;
    index elements = 0;
    try {
        elements = weft::detail::checked_size(header.shape, "npy");
    } catch (const Error&) {
        throw error("npy", "{}: shape {}: too many elements", file, weft::detail::shape_text(header.shape));
    }
    // checked_size leaves room for 64 bytes per element.
    const std::size_t need = static_cast<std::size_t>(elements) * item_size(header.dtype);
    if (need != bytes.size() - data)
        throw error("npy", "{}: byte {}: {} {} takes {} bytes, the file has {}", file, data, name(header.dtype),
                    weft::detail::shape_text(header.shape), need, bytes.size() - data);

    const AnyTensor tensor =
        tensor_from_bytes(header.dtype, std::move(header.shape), storage, bytes.data() + data, header.order);
    if (!header.fortran || tensor.rank() < 2) return tensor;
    const Storage copy = Storage::allocate(need);
    reorder_fortran(tensor, copy.data());
    return AnyTensor(tensor.dtype(), tensor.shape(), copy, copy.data());
}

/// The header of the npy file of a tensor, padded so that the elements begin at a multiple of 64 bytes.
template <class = void>
std::string npy_header(const AnyTensor& tensor) {
    constexpr std::string_view codes[] = {"b1", "u1", "i1", "u2", "i2", "f2", "",   "u4",
                                          "i4", "f4", "u8", "i8", "f8", "c8", "c16"};
    const std::string_view code = codes[static_cast<std::size_t>(tensor.dtype())];
    if (code.empty()) throw error("save_npy", "NumPy has no BF16: convert the tensor to float first");
    const char* const order = item_size(tensor.dtype()) == 1               ? "|"
                              : std::endian::native == std::endian::little ? "<"
                                                                           : ">";
    std::string text = message("{'descr': '{}{}', 'fortran_order': False, 'shape': ({}{}), }",
                               {order, code, join(tensor.shape(), ", "), tensor.rank() == 1 ? "," : ""});
    // Version 2 has four bytes for the length, version 1 two.
    const bool wide = text.size() > 65000;
    const std::size_t begin = wide ? 12 : 10;
    text.resize((begin + text.size() + 1 + 63) / 64 * 64 - begin - 1, ' ');
    text += '\n';
    std::string header = std::string("\x93NUMPY") + (wide ? '\2' : '\1') + '\0';
    for (std::size_t i = 0; i < begin - 8; ++i)
        header += static_cast<char>(static_cast<unsigned char>(text.size() >> 8 * i));
    return header + text;
}

} // namespace detail

/// The array of an npy file, of either byte order, row-major or in Fortran order. Shares the mapped file (MappedFile)
/// when it is row-major in native byte order. Errors: not an npy file; objects and structured arrays; a size that does
/// not fit the shape.
template <class = void>
AnyTensor load_npy(const std::filesystem::path& path) {
    return detail::npy_tensor(map_file(path), path.string());
}
/// The same as a Tensor. Errors: another rank; a conversion that `conversion` does not allow.
template <FileElement T, int N>
Tensor<T, N> load_npy(const std::filesystem::path& path, Conversion conversion = Conversion::lossless) {
    return load_npy(path).to<T, N>(conversion, path.string());
}
/// The array of the bytes of an npy file, which are copied; messages call it `name`.
template <class = void>
AnyTensor parse_npy(std::span<const std::byte> bytes, const std::string& name = "memory") {
    const Storage storage = Storage::allocate(bytes.size());
    std::copy(bytes.begin(), bytes.end(), storage.data());
    return detail::npy_tensor(storage, name);
}

/// Writes a tensor to a file, which appears as a whole or not at all (AtomicFile).
/// Errors: BF16, which NumPy lacks; the file cannot be written.
template <class = void>
void save_npy(const std::filesystem::path& path, const AnyTensor& tensor) {
    const std::string header = detail::npy_header(tensor);
    AtomicFile file(path);
    file.write(header);
    file.write(tensor.bytes());
    file.commit();
}

} // namespace weft::inline WEFT_ABI::io
