// SPDX-License-Identifier: MIT
#pragma once

/// The safetensors format: 8 bytes little-endian length n, n bytes of JSON, then the tensors' bytes, little-endian and
/// row-major. https://github.com/huggingface/safetensors

#include <weft/io/any_tensor.hpp>
#include <weft/io/atomic_file.hpp>
#include <weft/io/json.hpp>
#include <weft/io/mapped_file.hpp>

#include <algorithm>
#include <bit>
#include <set>
#include <string>
#include <vector>

namespace weft::inline WEFT_ABI::io {

/// What the header of a safetensors file says about a tensor. Offsets are in bytes from the end of the header.
struct TensorInfo {
    DType dtype = DType::f32;
    std::vector<index> shape;
    index begin = 0;
    index end = 0;
};

template <class = void>
class BasicSafetensorsFile;
/// A template of which there is one, like the other classes of files: only programs that use it compile it.
using SafetensorsFile = BasicSafetensorsFile<>;

/// A safetensors file. It is validated as a whole when it is opened, before any memory is taken for tensors, by the
/// rules of the reference implementation: the header has at most 100 MB; the tensors fill the rest of the file without
/// overlap or hole; each one's size is the one of its shape and type. Stricter than the reference: a name must not be
/// there twice, and the 8-bit and smaller floating-point types are unknown.
/// Errors name the file, the tensor and the byte.
template <class>
class BasicSafetensorsFile {
public:
    /// Maps the file: tensors share its memory until they are written to. See MappedFile.
    static BasicSafetensorsFile open(const std::filesystem::path& path) {
        return BasicSafetensorsFile(map_file(path), path.string());
    }
    /// Reads the whole file: it may be changed afterwards.
    static BasicSafetensorsFile read(const std::filesystem::path& path) {
        return BasicSafetensorsFile(read_file(path), path.string());
    }
    /// Copies the bytes of a file; messages call it `name`.
    static BasicSafetensorsFile parse(std::span<const std::byte> bytes, std::string name = "memory") {
        Storage storage = Storage::allocate(bytes.size());
        std::copy(bytes.begin(), bytes.end(), storage.data());
        return BasicSafetensorsFile(std::move(storage), std::move(name));
    }

    /// What messages call the file: its path.
    const std::string& file() const noexcept { return file_; }
    /// The tensors, in the order of the header.
    const std::vector<std::string>& names() const noexcept { return names_; }
    /// Whether there is a tensor of that name.
    bool contains(std::string_view name) const { return tensors_.find(name) != tensors_.end(); }
    /// Errors: there is no such tensor.
    const TensorInfo& info(std::string_view name) const {
        const auto found = tensors_.find(name);
        if (found == tensors_.end())
            throw error("safetensors", "{}: there is no tensor {} among {}", file_, detail::quote_name(name),
                        known_names());
        return found->second;
    }
    /// Texts by name, the header's `__metadata__`.
    const Metadata& metadata() const noexcept { return metadata_; }

    /// A tensor as it is. Shares the file's memory, unless it is misaligned in the file.
    AnyTensor any(std::string_view name) const {
        const TensorInfo& tensor = info(name);
        return detail::tensor_from_bytes(tensor.dtype, tensor.shape, storage_, data(tensor), std::endian::little);
    }
    /// A tensor of elements T. Shares the file's memory when the type is the same and aligned, else copies.
    /// Errors: there is none; it has another rank; `conversion` does not allow the conversion.
    template <FileElement T, int N>
    Tensor<T, N> get(std::string_view name, Conversion conversion = Conversion::lossless) const {
        return any(name).template to<T, N>(conversion, describe(name));
    }
    /// The same, of the given extents, where `dyn` stands for any. Errors: it has another shape.
    template <FileElement T, int N>
    Tensor<T, N> get(std::string_view name, const Extents<N>& shape,
                     Conversion conversion = Conversion::lossless) const {
        return any(name).template to<T, N>(shape, conversion, describe(name));
    }
    /// A tensor that shares the file's memory, never a copy. Errors: there is none; it has another type or rank; it is
    /// misaligned in the file.
    template <FileElement T, int N>
    Tensor<T, N> view(std::string_view name) const {
        const TensorInfo& tensor = info(name);
        if (tensor.dtype != dtype_of<T>())
            throw error("safetensors", "{}: is {}, a view needs {}", describe(name), io::name(tensor.dtype),
                        io::name(dtype_of<T>()));
        if (std::endian::native != std::endian::little || !detail::is_aligned(data(tensor), tensor.dtype))
            throw error("safetensors", "{}: starts at byte {} of the file, which is misaligned for {}: use get",
                        describe(name), data(tensor) - storage_.data(), io::name(tensor.dtype));
        return get<T, N>(name);
    }
    /// All tensors as they are, in the order of names().
    NamedTensors tensors() const {
        NamedTensors all;
        for (const std::string& name : names_) all.emplace_back(name, any(name));
        return all;
    }

private:
    static constexpr std::size_t longest_header = 100'000'000;

    BasicSafetensorsFile(Storage storage, std::string file) : storage_(std::move(storage)), file_(std::move(file)) {
        const std::size_t size = storage_.bytes();
        if (size < 8)
            throw error("safetensors", "{}: has {} bytes, the length of its header alone takes 8", file_, size);
        std::uint64_t header = 0;
        for (std::size_t i = 8; i-- > 0;) header = header << 8 | std::to_integer<std::uint64_t>(storage_.data()[i]);
        if (header > longest_header)
            throw error("safetensors", "{}: byte 0: the header has {} bytes, at most {} are allowed", file_, header,
                        longest_header);
        if (header > size - 8)
            throw error("safetensors", "{}: byte 0: the header has {} bytes, the file only {} after its length", file_,
                        header, size - 8);
        data_begin_ = 8 + static_cast<std::size_t>(header);
        read_header();
        check_layout();
    }

    void read_header() {
        const char* const text = reinterpret_cast<const char*>(storage_.data() + 8);
        detail::JsonReader json(std::string_view(text, data_begin_ - 8), file_, 8);
        json.object([&](const std::string& key) {
            if (key == "__metadata__") {
                json.object([&](const std::string& entry) { metadata_[entry] = json.string(); });
            } else {
                tensors_[key] = read_info(json, key);
                names_.push_back(key);
            }
        });
        json.end();
    }

    static TensorInfo read_info(detail::JsonReader& json, const std::string& tensor) {
        TensorInfo info;
        bool has_dtype = false, has_shape = false;
        int offsets = 0;
        json.object([&](const std::string& field) {
            if (field == "dtype") {
                const std::string text = json.string();
                has_dtype = parse_dtype(text, info.dtype);
                if (!has_dtype)
                    json.fail(detail::message("tensor {}: unknown dtype {}",
                                              {detail::quote_name(tensor), detail::quote_name(text)}));
            } else if (field == "shape") {
                json.array([&] { info.shape.push_back(json.integer()); });
                has_shape = true;
            } else if (field == "data_offsets") {
                json.array([&] {
                    const index offset = json.integer();
                    if (offsets < 2) (offsets == 0 ? info.begin : info.end) = offset;
                    ++offsets;
                });
            } else {
                json.skip();
            }
        });
        if (!has_dtype || !has_shape || offsets != 2)
            json.fail(
                detail::message("tensor {}: needs dtype, shape and two data_offsets", {detail::quote_name(tensor)}));
        return info;
    }

    static bool parse_dtype(std::string_view text, DType& dtype) {
        // The last one, C128, is not in the format.
        for (int i = 0; i < static_cast<int>(DType::c128); ++i) {
            dtype = static_cast<DType>(i);
            if (io::name(dtype) == text) return true;
        }
        return false;
    }

    void check_layout() const {
        const auto size = static_cast<index>(storage_.bytes() - data_begin_);
        std::vector<std::pair<const std::string*, const TensorInfo*>> order;
        for (const auto& [name, tensor] : tensors_) order.emplace_back(&name, &tensor);
        std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
            return std::pair(a.second->begin, a.second->end) < std::pair(b.second->begin, b.second->end);
        });
        index end = 0;
        for (const auto& entry : order) {
            const std::string* const name = entry.first;
            const TensorInfo* const tensor = entry.second;
            const auto fail = [&](const std::string& what) {
                return error("safetensors", "{}: {} {}, bytes {} to {} of the data: {}", describe(*name),
                             io::name(tensor->dtype), weft::detail::shape_text(tensor->shape), tensor->begin,
                             tensor->end, what);
            };
            if (tensor->begin > tensor->end) throw fail("it ends before it begins");
            if (tensor->end > size) throw fail(detail::message("the data end at {}", {size}));
            if (tensor->begin < end) throw fail(detail::message("it overlaps the tensor that ends at {}", {end}));
            if (tensor->begin > end) throw fail(detail::message("a hole begins at {}", {end}));
            index elements = 0;
            try {
                elements = weft::detail::checked_size(tensor->shape, "safetensors");
            } catch (const Error&) {
                throw fail("too many elements");
            }
            const auto item = static_cast<index>(item_size(tensor->dtype));
            // checked_size leaves room for 64 bytes per element.
            if (elements * item != tensor->end - tensor->begin)
                throw fail(detail::message("its shape and type take {} bytes", {elements * item}));
            end = tensor->end;
        }
        if (end != size)
            throw error("safetensors", "{}: byte {}: {} bytes after the last tensor", file_,
                        data_begin_ + static_cast<std::size_t>(end), size - end);
    }

    const std::byte* data(const TensorInfo& tensor) const { return storage_.data() + data_begin_ + tensor.begin; }
    std::string describe(std::string_view name) const {
        return detail::message("{}: tensor {}", {file_, detail::quote_name(name)});
    }
    std::string known_names() const {
        constexpr std::size_t most = 20;
        std::string text;
        for (std::size_t i = 0; i < std::min(names_.size(), most); ++i)
            text += (i ? ", " : "") + detail::quote_name(names_[i]);
        if (names_.size() > most) text += detail::message(" and {} more", {names_.size() - most});
        return names_.empty() ? "none" : text;
    }

    Storage storage_;
    std::string file_;
    std::size_t data_begin_ = 0;
    std::vector<std::string> names_;
    std::map<std::string, TensorInfo, std::less<>> tensors_;
    Metadata metadata_;
};

namespace detail {

/// Calls `write(bytes)` for the consecutive pieces of a safetensors file. The header is padded to a multiple of 8
/// bytes, and the tensors lie in it by decreasing element size, else in the given order, so that all are aligned.
template <class Write>
void write_safetensors(const NamedTensors& tensors, const Metadata& metadata, Write&& write) {
    std::set<std::string_view> names;
    std::vector<const NamedTensors::value_type*> order;
    for (const auto& entry : tensors) {
        const auto& [name, tensor] = entry;
        if (name == "__metadata__") throw error("save_safetensors", "a tensor must not be named __metadata__");
        if (!is_utf8(name)) throw error("save_safetensors", "the name {} is not UTF-8", quote_name(name));
        if (!names.insert(name).second) throw error("save_safetensors", "the name {} is there twice", quote_name(name));
        if (tensor.dtype() == DType::c128)
            throw error("save_safetensors", "tensor {}: the format has no C128 elements", quote_name(name));
        order.push_back(&entry);
    }
    std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
        return item_size(a->second.dtype()) > item_size(b->second.dtype());
    });

    std::string header = "{";
    if (!metadata.empty()) {
        header += "\"__metadata__\":{";
        for (const char* comma = ""; const auto& [key, text] : metadata) {
            if (!is_utf8(key) || !is_utf8(text))
                throw error("save_safetensors", "the metadata {}: {} are not UTF-8", quote_name(key), quote_name(text));
            header += comma + json_string(key) + ':' + json_string(text);
            comma = ",";
        }
        header += '}';
    }
    std::size_t offset = 0;
    for (const auto* entry : order) {
        const auto& [name, tensor] = *entry;
        const std::size_t end = offset + tensor.bytes().size();
        if (header.size() > 1) header += ',';
        header += message("{}:{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}",
                          {json_string(name), io::name(tensor.dtype()), join(tensor.shape(), ","), offset, end});
        offset = end;
    }
    header += '}';
    header.resize((header.size() + 7) / 8 * 8, ' ');

    std::byte length[8];
    for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<std::byte>(header.size() >> 8 * i & 0xff);
    write(std::span<const std::byte>(length));
    write(std::as_bytes(std::span(header)));
    for (const auto* entry : order) {
        const AnyTensor& tensor = entry->second;
        if constexpr (std::endian::native == std::endian::little)
            write(tensor.bytes());
        else
            write(tensor_from_bytes(tensor.dtype(), tensor.shape(), tensor.storage(), tensor.bytes().data(),
                                    std::endian::little)
                      .bytes());
    }
}

} // namespace detail

/// Writes tensors to a file, which appears as a whole or not at all (AtomicFile). Names and metadata are UTF-8.
/// Errors: a name is there twice or not allowed; an element type that the format lacks (C128); the file cannot be
/// written.
template <class = void>
void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors, const Metadata& metadata = {}) {
    AtomicFile file(path);
    detail::write_safetensors(tensors, metadata, [&](std::span<const std::byte> bytes) { file.write(bytes); });
    file.commit();
}

/// The bytes of the file that save_safetensors would write.
template <class = void>
std::vector<std::byte> safetensors_bytes(const NamedTensors& tensors, const Metadata& metadata = {}) {
    std::vector<std::byte> all;
    detail::write_safetensors(tensors, metadata, [&](std::span<const std::byte> bytes) {
        const std::size_t at = all.size();
        all.resize(at + bytes.size());
        std::copy(bytes.begin(), bytes.end(), all.begin() + static_cast<std::ptrdiff_t>(at));
    });
    return all;
}

} // namespace weft::inline WEFT_ABI::io
