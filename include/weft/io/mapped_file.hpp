// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/storage.hpp>
#include <weft/io/message.hpp>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

#if __has_include(<sys/mman.h>)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#define WEFT_DETAIL_POSIX 1
#else
#define WEFT_DETAIL_POSIX 0
#endif

namespace weft::inline WEFT_ABI::io {

namespace detail {

template <class = void>
[[nodiscard]] Error system_error_of(const char* operation, const std::filesystem::path& path, int code) {
    return error(operation, "{}: {}", path.string(), std::generic_category().message(code));
}

/// Size of a regular file. Errors: there is none, or it is something else.
template <class = void>
std::size_t regular_file_size(const std::filesystem::path& path, const char* operation) {
    std::error_code code;
    const auto status = std::filesystem::status(path, code);
    if (!std::filesystem::exists(status)) throw error(operation, "{}: no such file", path.string());
    if (!std::filesystem::is_regular_file(status)) throw error(operation, "{}: is not a regular file", path.string());
    const auto size = std::filesystem::file_size(path, code);
    if (code) throw error(operation, "{}: {}", path.string(), code.message());
    return static_cast<std::size_t>(size);
}

} // namespace detail

/// The bytes of a file, copied into memory of their own. Errors: not a regular file, cannot be read.
template <class = void>
Storage read_file(const std::filesystem::path& path) {
    const std::size_t size = detail::regular_file_size(path, "read_file");
    struct Closer {
        std::FILE* file;
        ~Closer() {
            if (file) std::fclose(file);
        }
    };
    const Closer closer{std::fopen(path.string().c_str(), "rb")};
    if (!closer.file) throw detail::system_error_of("read_file", path, errno);
    Storage storage = Storage::allocate(size);
    if (const std::size_t got = std::fread(storage.data(), 1, size, closer.file); got != size)
        throw error("read_file", "{}: only {} of {} bytes could be read", path.string(), got, size);
    return storage;
}

template <class = void>
class BasicMappedFile;
/// @copydoc weft::io::BasicMappedFile
using MappedFile = BasicMappedFile<>;

/// A file mapped read-only into memory, with at least 64 readable zero bytes after its end. The file must not be
/// shortened while it is mapped; replacing it by another one (as AtomicFile does) is fine. Where mapping does not work
/// the file is read instead. Errors: not a regular file, cannot be read.
template <class>
class BasicMappedFile {
public:
    /// Maps it. Errors: not a regular file, cannot be read.
    explicit BasicMappedFile(const std::filesystem::path& path) {
        size_ = detail::regular_file_size(path, "open");
        if (size_ > 0 && !map(path)) {
            copy_ = read_file(path);
            data_ = copy_.data();
            size_ = copy_.bytes();
        }
    }
    /// Moves: the other has no file then.
    BasicMappedFile(BasicMappedFile&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)),
          reserved_(std::exchange(other.reserved_, 0)), copy_(std::move(other.copy_)) {}
    BasicMappedFile& operator=(BasicMappedFile&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(reserved_, other.reserved_);
        std::swap(copy_, other.copy_);
        return *this;
    }
    ~BasicMappedFile() {
#if WEFT_DETAIL_POSIX
        if (reserved_ > 0) ::munmap(const_cast<std::byte*>(data_), reserved_);
#endif
    }

    /// All of the file.
    std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

private:
    bool map([[maybe_unused]] const std::filesystem::path& path) {
#if WEFT_DETAIL_POSIX
        const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor < 0) throw detail::system_error_of("open", path, errno);
        // The size belongs to what was opened: the path may name another file by now.
        struct ::stat status {};
        const bool known = ::fstat(descriptor, &status) == 0 && status.st_size > 0;
        const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        const auto size = static_cast<std::size_t>(status.st_size);
        if (known && size < SIZE_MAX - 2 * page) {
            // Zeroed pages first, one more than the file needs, so that SIMD loads may overrun its end.
            const std::size_t reserved = (size / page + 2) * page;
            void* const memory = ::mmap(nullptr, reserved, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (memory != MAP_FAILED) {
                if (::mmap(memory, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, descriptor, 0) != MAP_FAILED) {
                    data_ = static_cast<const std::byte*>(memory);
                    size_ = size;
                    reserved_ = reserved;
                } else {
                    ::munmap(memory, reserved);
                }
            }
        }
        ::close(descriptor);
#endif
        return reserved_ > 0;
    }

    const std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t reserved_ = 0;
    Storage copy_;
};

/// The bytes of a file, mapped: tensors may share them. See MappedFile.
template <class = void>
Storage map_file(const std::filesystem::path& path) {
    MappedFile file(path);
    const auto bytes = file.bytes();
    return Storage::adopt(bytes.data(), bytes.size(), std::move(file));
}

} // namespace weft::inline WEFT_ABI::io
