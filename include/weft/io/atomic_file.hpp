// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/mapped_file.hpp>

#include <atomic>
#include <ctime>
#include <string>

namespace weft::inline WEFT_ABI::io {

template <class = void>
class BasicAtomicFile;
/// @copydoc weft::io::BasicAtomicFile
using AtomicFile = BasicAtomicFile<>;

/// Writes a file as a whole or not at all: bytes go to a temporary file in the same folder, `commit` flushes it to the
/// disk and renames it over `path`. Without commit (an exception on the way) the temporary file goes away and what was
/// at `path` stays. A symbolic link is followed; permissions of a replaced file are kept.
/// Errors: `path` is there and not a regular file; the folder is missing or not writable; the disk is full.
template <class>
class BasicAtomicFile {
public:
    /// Opens the temporary file beside `path`. Errors: as above.
    explicit BasicAtomicFile(const std::filesystem::path& path) : path_(path) {
        std::error_code code;
        for (int links = 0; std::filesystem::is_symlink(path_, code); ++links) {
            if (links == 40) throw error("write", "{}: too many symbolic links", path.string());
            path_ = path_.parent_path() / std::filesystem::read_symlink(path_, code);
        }
        const auto status = std::filesystem::status(path_, code);
        if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
            throw error("write", "{}: is not a regular file", path_.string());

        static std::atomic<unsigned> counter{0};
        const auto seed = static_cast<long long>(std::time(nullptr));
        for (int attempt = 0; !file_; ++attempt) {
            temporary_ = path_;
            temporary_ += detail::message(".{}-{}.tmp", {seed, counter.fetch_add(1, std::memory_order_relaxed)});
            file_ = create(temporary_);
            if (!file_ && (errno != EEXIST || attempt == 100))
                throw detail::system_error_of("write", temporary_, errno);
        }
        if (std::filesystem::exists(status)) std::filesystem::permissions(temporary_, status.permissions(), code);
    }
    BasicAtomicFile(const BasicAtomicFile&) = delete;
    BasicAtomicFile& operator=(const BasicAtomicFile&) = delete;
    ~BasicAtomicFile() {
        if (file_) std::fclose(file_);
        std::error_code ignored; // and no string, for which there may be no memory
        if (!temporary_.empty()) std::filesystem::remove(temporary_, ignored);
    }

    /// Appends bytes. Errors: the disk is full.
    void write(std::span<const std::byte> bytes) {
        if (!bytes.empty() && std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size())
            throw detail::system_error_of("write", temporary_, errno);
    }
    /// The same of a text.
    void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

    /// Makes the file appear at `path`. Errors: the disk is full, the file cannot be renamed. To be called once, last.
    void commit() {
        bool good = std::fflush(file_) == 0;
#if WEFT_DETAIL_POSIX
        good = good && ::fsync(::fileno(file_)) == 0;
#endif
        int code = errno;
        if (std::fclose(std::exchange(file_, nullptr)) != 0 && good) {
            good = false;
            code = errno;
        }
        if (!good) throw detail::system_error_of("write", temporary_, code);
        std::error_code renamed;
        std::filesystem::rename(temporary_, path_, renamed);
        if (renamed) throw error("write", "{}: {}", path_.string(), renamed.message());
        temporary_.clear();
#if WEFT_DETAIL_POSIX
        // The folder's entry too, as far as the file system knows how to.
        const auto folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
        if (const int descriptor = ::open(folder.c_str(), O_RDONLY | O_CLOEXEC); descriptor >= 0) {
            [[maybe_unused]] const int ignored = ::fsync(descriptor);
            ::close(descriptor);
        }
#endif
    }

private:
    static std::FILE* create(const std::filesystem::path& path) {
#if WEFT_DETAIL_POSIX
        const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor < 0) return nullptr;
        std::FILE* const file = ::fdopen(descriptor, "wb");
        if (!file) { // no memory for it
            const int code = errno;
            ::close(descriptor);
            ::unlink(path.c_str());
            errno = code;
        }
        return file;
#else
        return std::fopen(path.string().c_str(), "wbx");
#endif
    }

    std::filesystem::path path_;
    std::filesystem::path temporary_;
    std::FILE* file_ = nullptr;
};

} // namespace weft::inline WEFT_ABI::io
