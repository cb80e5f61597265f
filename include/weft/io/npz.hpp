// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/npy.hpp>
#include <weft/io/zip.hpp>

#include <set>

namespace weft::inline WEFT_ABI::io::inline WEFT_DETAIL_ZIP {

template <class = void>
class BasicNpzFile;
/// @copydoc weft::io::BasicNpzFile
using NpzFile = BasicNpzFile<>;

/// An npz file: arrays by name. Its directory is read at once, an array when it is asked for, with its checksum.
/// Compressed arrays need zlib: define WEFT_WITH_ZLIB (the CMake option of this name does) and link it.
/// Errors name the file, the array and the byte.
template <class>
class BasicNpzFile {
public:
    /// Maps the file; see MappedFile.
    static BasicNpzFile open(const std::filesystem::path& path) { return BasicNpzFile(map_file(path), path.string()); }
    /// Copies the bytes of a file; messages call it `name`.
    static BasicNpzFile parse(std::span<const std::byte> bytes, std::string name = "memory") {
        Storage storage = Storage::allocate(bytes.size());
        std::copy(bytes.begin(), bytes.end(), storage.data());
        return BasicNpzFile(std::move(storage), std::move(name));
    }

    /// The arrays, in the order of the file, without the ending .npy.
    const std::vector<std::string>& names() const noexcept { return names_; }
    /// Whether there is an array of that name.
    bool contains(std::string_view name) const { return zip_.contains(std::string(name) + ".npy"); }

    /// Errors: there is no such array, it is damaged, or compressed and there is no zlib.
    AnyTensor any(std::string_view name) const {
        if (!contains(name)) throw error("npz", "{}: there is no array {}", file_, detail::quote_name(name));
        const std::string entry = std::string(name) + ".npy";
        return detail::npy_tensor(zip_.read(entry), detail::message("{}: array {}", {file_, detail::quote_name(name)}));
    }
    /// The same as a Tensor. Errors: another rank; a conversion that `conversion` does not allow.
    template <FileElement T, int N>
    Tensor<T, N> get(std::string_view name, Conversion conversion = Conversion::lossless) const {
        return any(name).template to<T, N>(conversion,
                                           detail::message("{}: array {}", {file_, detail::quote_name(name)}));
    }
    /// All arrays.
    NamedTensors tensors() const {
        NamedTensors all;
        for (const std::string& name : names_) all.emplace_back(name, any(name));
        return all;
    }

private:
    BasicNpzFile(Storage storage, std::string file) : file_(file), zip_(std::move(storage), std::move(file)) {
        for (const std::string& entry : zip_.names())
            if (entry.ends_with(".npy")) names_.push_back(entry.substr(0, entry.size() - 4));
    }

    std::string file_;
    detail::ZipReader<> zip_;
    std::vector<std::string> names_;
};

} // namespace weft::inline WEFT_ABI::io::inline WEFT_DETAIL_ZIP

namespace weft::inline WEFT_ABI::io::detail::inline WEFT_DETAIL_ZIP {

/// Calls `write(bytes)` for the consecutive pieces of an npz file; `limit` is the one of ZipWriter.
template <class Write>
void write_npz(const NamedTensors& tensors, Write&& write, std::size_t limit = 0xffffffff) {
    ZipWriter zip(write, limit);
    std::set<std::string_view> names;
    for (const auto& [name, tensor] : tensors) {
        if (!is_utf8(name)) throw error("save_npz", "the name {} is not UTF-8", quote_name(name));
        if (!names.insert(name).second) throw error("save_npz", "the name {} is there twice", quote_name(name));
        const std::string header = npy_header(tensor);
        zip.add(name + ".npy", {std::as_bytes(std::span(header)), tensor.bytes()});
    }
    zip.finish();
}

} // namespace weft::inline WEFT_ABI::io::detail::inline WEFT_DETAIL_ZIP

namespace weft::inline WEFT_ABI::io::inline WEFT_DETAIL_ZIP {

/// Writes tensors to an npz file, not compressed, which appears as a whole or not at all (AtomicFile).
/// Errors: a name is there twice; BF16, which NumPy lacks; the file cannot be written.
template <class = void>
void save_npz(const std::filesystem::path& path, const NamedTensors& tensors) {
    AtomicFile file(path);
    detail::write_npz(tensors, [&](std::span<const std::byte> bytes) { file.write(bytes); });
    file.commit();
}

} // namespace weft::inline WEFT_ABI::io::inline WEFT_DETAIL_ZIP
