// SPDX-License-Identifier: MIT
#pragma once

/// Zip archives as NumPy writes them: stored or (with WEFT_WITH_ZLIB) deflated entries, Zip64.
/// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

#include <weft/core/storage.hpp>
#include <weft/io/atomic_file.hpp>
#include <weft/io/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Code that differs with zlib has names that differ: units with and without it may be linked together.
#ifdef WEFT_WITH_ZLIB
#include <zlib.h>
#define WEFT_DETAIL_ZIP with_zlib
#else
#define WEFT_DETAIL_ZIP without_zlib
#endif

namespace weft::inline WEFT_ABI::io::detail::inline WEFT_DETAIL_ZIP {

/// Tables of the checksum of zip files: entry [k][b] is the one of byte b followed by k zero bytes. Not made by the
/// compiler, which takes long for it.
template <class = void>
std::array<std::array<std::uint32_t, 256>, 8> make_crc_tables() {
    std::array<std::array<std::uint32_t, 256>, 8> tables{};
    for (std::uint32_t b = 0; b < 256; ++b) {
        std::uint32_t c = b;
        for (int bit = 0; bit < 8; ++bit) c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0u);
        tables[0][b] = c;
    }
    for (std::size_t k = 1; k < 8; ++k)
        for (std::size_t b = 0; b < 256; ++b) tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xff];
    return tables;
}

/// CRC-32 of zip files, of what came before (`crc`) and `bytes`.
template <class = void>
std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t crc = 0) {
    const auto byte = [&](std::size_t i) { return std::to_integer<std::uint32_t>(bytes[i]); };
    static const auto t = make_crc_tables();
    crc = ~crc;
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
        const std::uint32_t low = crc ^ (byte(i) | byte(i + 1) << 8 | byte(i + 2) << 16 | byte(i + 3) << 24);
        crc = t[7][low & 0xff] ^ t[6][low >> 8 & 0xff] ^ t[5][low >> 16 & 0xff] ^ t[4][low >> 24] ^ t[3][byte(i + 4)] ^
              t[2][byte(i + 5)] ^ t[1][byte(i + 6)] ^ t[0][byte(i + 7)];
    }
    for (; i < bytes.size(); ++i) crc = crc >> 8 ^ t[0][(crc ^ byte(i)) & 0xff];
    return ~crc;
}

/// The directory of a zip file and its entries.
template <class = void>
class ZipReader {
public:
    ZipReader(Storage storage, std::string file) : storage_(std::move(storage)), file_(std::move(file)) {
        read_directory();
    }

    const std::vector<std::string>& names() const noexcept { return names_; }
    bool contains(std::string_view name) const { return entries_.find(name) != entries_.end(); }

    /// The bytes of an entry, copied into memory of their own. Errors: damaged, compressed in an unknown way.
    Storage read(std::string_view name) const {
        const auto found = entries_.find(name);
        if (found == entries_.end()) throw error("npz", "{}: there is no entry {}", file_, quote_name(name));
        const Entry& entry = found->second;
        const auto fail = [&](std::string_view what) {
            return error("npz", "{}: byte {}: entry {}: {}", file_, entry.header, quote_name(name), what);
        };
        const std::size_t size = storage_.bytes();
        // The local header repeats what the directory says; only the lengths of its two variable fields count.
        if (entry.header > size || size - entry.header < 30 || number(entry.header, 4) != 0x04034b50)
            throw fail("its header is not there");
        const std::size_t begin = entry.header + 30 + number(entry.header + 26, 2) + number(entry.header + 28, 2);
        if (begin > size || entry.compressed > size - begin) throw fail("it does not fit into the file");
        if (entry.flags & 1) throw fail("it is encrypted");
        const std::span<const std::byte> packed(storage_.data() + begin, entry.compressed);

        // Deflate never packs more than 1032 bytes into one: what claims more must not take memory.
        if (entry.method == 0 ? entry.size != entry.compressed : entry.size / 1032 > entry.compressed)
            throw fail(message("{} bytes cannot hold {}", {entry.compressed, entry.size}));
        Storage bytes;
        if (entry.method == 0) {
            bytes = Storage::allocate(entry.size);
            std::copy(packed.begin(), packed.end(), bytes.data());
        } else if (entry.method == 8) {
#ifdef WEFT_WITH_ZLIB
            bytes = Storage::allocate(entry.size);
            if (!inflate(packed, {bytes.data(), entry.size})) throw fail("its compressed bytes are damaged");
#else
            throw fail(
                "it is compressed, and this program was built without WEFT_WITH_ZLIB: write it with numpy.savez");
#endif
        } else {
            throw fail(message("unknown compression method {}", {entry.method}));
        }
        if (const std::uint32_t crc = crc32({bytes.data(), bytes.bytes()}); crc != entry.crc)
            throw fail(message("its checksum is {}, must be {}", {hex(crc, 8), hex(entry.crc, 8)}));
        return bytes;
    }

private:
    struct Entry {
        std::size_t header = 0, compressed = 0, size = 0;
        unsigned flags = 0, method = 0;
        std::uint32_t crc = 0;
    };

    std::size_t number(std::size_t at, int bytes) const {
        std::size_t value = 0;
        for (int i = bytes; i-- > 0;)
            value = value << 8 | std::to_integer<std::size_t>(storage_.data()[at + static_cast<std::size_t>(i)]);
        return value;
    }

    void read_directory() {
        const std::size_t size = storage_.bytes();
        const auto fail = [&](std::size_t at, std::string_view what) {
            return error("npz", "{}: byte {}: {}", file_, at, what);
        };
        // The end record is the last thing in the file but a comment of at most 65535 bytes.
        constexpr std::size_t record = 22;
        if (size < record) throw fail(0, "not a zip file");
        std::size_t end = size - record;
        const std::size_t first = end > 0xffff ? end - 0xffff : 0;
        while (number(end, 4) != 0x06054b50 || number(end + 20, 2) != size - record - end) {
            if (end == first) throw fail(size, "not a zip file: it has no end record");
            --end;
        }
        std::size_t disk = number(end + 4, 2) | number(end + 6, 2), count = number(end + 10, 2);
        std::size_t length = number(end + 12, 4), begin = number(end + 16, 4), limit = end;
        if (end >= 20 && number(end - 20, 4) == 0x07064b50) {
            const std::size_t at = number(end - 12, 8);
            if (at > end - 20 || end - 20 - at < 56 || number(at, 4) != 0x06064b50)
                throw fail(end - 20, "a wrong Zip64 locator");
            disk = number(at + 16, 4) | number(at + 20, 4);
            count = number(at + 32, 8);
            length = number(at + 40, 8);
            begin = number(at + 48, 8);
            limit = at;
        }
        if (disk != 0) throw fail(end, "archives in several parts cannot be read");
        if (begin > limit || length > limit - begin || count > length / 46)
            throw fail(end, "the directory does not fit into the file");

        std::size_t at = begin;
        limit = begin + length;
        for (std::size_t i = 0; i < count; ++i) {
            if (limit - at < 46 || number(at, 4) != 0x02014b50) throw fail(at, "a wrong directory entry");
            Entry entry;
            entry.flags = static_cast<unsigned>(number(at + 8, 2));
            entry.method = static_cast<unsigned>(number(at + 10, 2));
            entry.crc = static_cast<std::uint32_t>(number(at + 16, 4));
            entry.compressed = number(at + 20, 4);
            entry.size = number(at + 24, 4);
            const std::size_t name = number(at + 28, 2), extra = number(at + 30, 2), comment = number(at + 32, 2);
            entry.header = number(at + 42, 4);
            if (limit - at - 46 < name + extra + comment) throw fail(at, "a wrong directory entry");
            if (!read_zip64(entry, at + 46 + name, extra)) throw fail(at, "a wrong Zip64 field");
            std::string text(reinterpret_cast<const char*>(storage_.data() + at + 46), name);
            if (!entries_.emplace(text, entry).second)
                throw fail(at, message("the name {} is there twice", {quote_name(text)}));
            names_.push_back(std::move(text));
            at += 46 + name + extra + comment;
        }
    }

    // The field of 64-bit numbers holds those that are all ones in the entry, in this order.
    bool read_zip64(Entry& entry, std::size_t at, std::size_t bytes) const {
        std::size_t* missing[3];
        std::size_t wanted = 0;
        for (std::size_t* value : {&entry.size, &entry.compressed, &entry.header})
            if (*value == 0xffffffff) missing[wanted++] = value;
        if (wanted == 0) return true;
        while (bytes >= 4) {
            const std::size_t id = number(at, 2), length = number(at + 2, 2);
            if (length > bytes - 4) return false;
            if (id == 1) {
                if (length < 8 * wanted) return false;
                for (std::size_t i = 0; i < wanted; ++i) *missing[i] = number(at + 4 + 8 * i, 8);
                return true;
            }
            at += 4 + length;
            bytes -= 4 + length;
        }
        return false;
    }

#ifdef WEFT_WITH_ZLIB
    static bool inflate(std::span<const std::byte> in, std::span<std::byte> out) {
        z_stream stream{};
        if (inflateInit2(&stream, -15) != Z_OK) return false;
        int result = Z_OK;
        std::size_t read = 0, written = 0;
        constexpr std::size_t piece = 1u << 30; // zlib counts in unsigned int
        unsigned char nothing = 0;
        while (result == Z_OK) {
            const std::size_t give = std::min(in.size() - read, piece), take = std::min(out.size() - written, piece);
            stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data() + read));
            stream.avail_in = static_cast<uInt>(give);
            stream.next_out = out.empty() ? &nothing : reinterpret_cast<Bytef*>(out.data() + written);
            stream.avail_out = static_cast<uInt>(take);
            result = ::inflate(&stream, Z_NO_FLUSH);
            read += give - stream.avail_in;
            written += take - stream.avail_out;
        }
        inflateEnd(&stream);
        return result == Z_STREAM_END && written == out.size() && read == in.size();
    }
#endif

    Storage storage_;
    std::string file_;
    std::vector<std::string> names_;
    std::map<std::string, Entry, std::less<>> entries_;
};

/// Writes a zip file of stored entries, front to back. Numbers from `limit` on are written in 64 bits.
template <class Write>
class ZipWriter {
public:
    explicit ZipWriter(Write write, std::size_t limit = 0xffffffff) : write_(std::move(write)), limit_(limit) {}

    /// An entry that consists of `pieces`, one after another.
    void add(const std::string& name, std::initializer_list<std::span<const std::byte>> pieces) {
        if (name.size() > 0xffff) throw error("save_npz", "the name {} is too long", quote_name(name));
        std::size_t size = 0;
        std::uint32_t crc = 0;
        for (const auto piece : pieces) {
            size += piece.size();
            crc = crc32(piece, crc);
        }
        const bool wide = size >= limit_, far = offset_ >= limit_;
        std::string common; // of the local header and the directory: flags (UTF-8), stored, 1980-01-01
        put(common, 0x0800, 2);
        put(common, 0, 2);
        put(common, 0x00210000, 4);
        put(common, crc, 4);
        put(common, wide ? 0xffffffff : size, 4);
        put(common, wide ? 0xffffffff : size, 4);
        put(common, name.size(), 2);

        std::string local, extra;
        if (wide) {
            put(extra, 1, 2);
            put(extra, 16, 2);
            put(extra, size, 8);
            put(extra, size, 8);
        }
        put(local, 0x04034b50, 4);
        put(local, wide ? 45 : 20, 2);
        local += common;
        put(local, extra.size(), 2);
        local += name + extra;

        if (far) {
            extra.clear();
            put(extra, 1, 2);
            put(extra, wide ? 24 : 8, 2);
            if (wide) put(extra, size, 8);
            if (wide) put(extra, size, 8);
            put(extra, offset_, 8);
        }
        put(directory_, 0x02014b50, 4);
        put(directory_, 45, 2);
        put(directory_, wide || far ? 45 : 20, 2);
        directory_ += common;
        put(directory_, extra.size(), 2);
        put(directory_, 0, 8); // comment, disk, attributes
        put(directory_, 0, 2);
        put(directory_, far ? 0xffffffff : offset_, 4);
        directory_ += name + extra;
        ++count_;

        send(std::as_bytes(std::span(local)));
        for (const auto piece : pieces) send(piece);
    }

    /// The directory; nothing comes after it.
    void finish() {
        const std::size_t begin = offset_, length = directory_.size();
        std::string end;
        const bool wide = begin >= limit_ || length >= limit_ || count_ >= 0xffff;
        if (wide) {
            put(end, 0x06064b50, 4);
            put(end, 44, 8);
            put(end, 45, 2);
            put(end, 45, 2);
            put(end, 0, 8); // disks
            put(end, count_, 8);
            put(end, count_, 8);
            put(end, length, 8);
            put(end, begin, 8);
            put(end, 0x07064b50, 4);
            put(end, 0, 4);
            put(end, begin + length, 8);
            put(end, 1, 4);
        }
        put(end, 0x06054b50, 4);
        put(end, 0, 4);
        put(end, wide ? 0xffff : count_, 2);
        put(end, wide ? 0xffff : count_, 2);
        put(end, wide ? 0xffffffff : length, 4);
        put(end, wide ? 0xffffffff : begin, 4);
        put(end, 0, 2);
        send(std::as_bytes(std::span(directory_)));
        send(std::as_bytes(std::span(end)));
    }

private:
    static void put(std::string& out, std::size_t value, int bytes) {
        for (int i = 0; i < bytes; ++i) out += static_cast<char>(static_cast<unsigned char>(value >> 8 * i));
    }
    void send(std::span<const std::byte> bytes) {
        write_(bytes);
        offset_ += bytes.size();
    }

    Write write_;
    std::size_t limit_;
    std::size_t offset_ = 0;
    std::size_t count_ = 0;
    std::string directory_;
};

} // namespace weft::inline WEFT_ABI::io::detail::inline WEFT_DETAIL_ZIP
