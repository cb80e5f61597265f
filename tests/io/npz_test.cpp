// SPDX-License-Identifier: MIT
#include "io_test.hpp"

using namespace weft;
using namespace weft_test;

namespace {

void check_numpy_archive(const io::NpzFile& file) {
    REQUIRE(file.names() == std::vector<std::string>{"a", "b", "sub/c"});
    const auto a = file.get<float, 2>("a");
    for (weft::index i = 0; i < 6; ++i) REQUIRE(a.data()[i] == -static_cast<float>(i));
    REQUIRE(same(file.get<std::int64_t, 1>("b"), Tensor<std::int64_t, 1>::from({0, -1, -2, -3, -4})));
    REQUIRE(same(file.get<bool, 1>("sub/c"), counting<bool, 1>({4})));
}

const io::NamedTensors some{{"a", counting<float, 2>({2, 3})},
                            {"sub/\u00e9", counting<std::int64_t, 1>({1000})},
                            {"scalar", counting<std::complex<double>, 0>({})},
                            {"none", counting<half, 2>({0, 3})}};

void check_same(const io::NpzFile& file) {
    REQUIRE(file.names() == std::vector<std::string>{"a", "sub/\u00e9", "scalar", "none"});
    for (const auto& [name, tensor] : some) REQUIRE(same(file.any(name), tensor));
}

} // namespace

TEST_CASE("npz: archives that NumPy wrote", "[io]") {
    const fs::path golden = source_folder("golden") / "npy";
    check_numpy_archive(io::NpzFile::open(golden / "stored.npz"));
    check_numpy_archive(io::NpzFile::open(golden / "zip64.npz"));
    const auto deflated = io::NpzFile::open(golden / "deflated.npz");
#ifdef WEFT_WITH_ZLIB
    check_numpy_archive(deflated);
#else
    CHECK_THAT(message([&] { deflated.any("a"); }), ContainsSubstring("built without WEFT_WITH_ZLIB"));
#endif
}

TEST_CASE("npz: what is written can be read", "[io]") {
    const TemporaryFolder folder;
    io::save_npz(folder / "some.npz", some);
    check_same(io::NpzFile::open(folder / "some.npz"));
    io::save_npz(folder / "none.npz", {});
    REQUIRE(io::NpzFile::open(folder / "none.npz").names().empty());
    // The fields of 64 bits, as for archives of more than 4 GiB; from 200 bytes on, and for everything.
    for (const std::size_t limit : {200u, 1u, 0u}) {
        std::vector<std::byte> bytes;
        io::detail::write_npz(
            some, [&](std::span<const std::byte> b) { bytes.insert(bytes.end(), b.begin(), b.end()); }, limit);
        check_same(io::NpzFile::parse(bytes));
    }
}

TEST_CASE("npz: the checksum is the one of zip files", "[io]") {
    const auto crc = [](std::string_view text) { return io::detail::crc32(std::as_bytes(std::span(text))); };
    REQUIRE(crc("") == 0);
    REQUIRE(crc("123456789") == 0xcbf43926);
    REQUIRE(crc("The quick brown fox jumps over the lazy dog") == 0x414fa339);
    const std::string_view a = "12345", b = "6789";
    REQUIRE(io::detail::crc32(std::as_bytes(std::span(b)), crc(a)) == 0xcbf43926);
}

TEST_CASE("npz: wrong requests", "[io]") {
    const TemporaryFolder folder;
    io::save_npz(folder / "some.npz", some);
    const auto file = io::NpzFile::open(folder / "some.npz");
    CHECK(file.contains("a"));
    CHECK(!file.contains("b"));
    CHECK_THAT(message([&] { file.any("b"); }), ContainsSubstring("some.npz: there is no array \"b\""));
    CHECK_THAT(message([&] { file.get<float, 1>("a"); }),
               ContainsSubstring("some.npz: array \"a\": is F32 [2, 3] of rank 2, asked for F32 of rank 1"));
    CHECK_THAT(message([&] {
                   io::save_npz(folder / "x", {{"a", some[0].second}, {"a", some[0].second}});
               }),
               ContainsSubstring("the name \"a\" is there twice"));
    CHECK_THAT(message([&] {
                   io::save_npz(folder / "x", {{"\xff", some[0].second}});
               }),
               ContainsSubstring("is not UTF-8"));
    CHECK_THAT(message([&] {
                   io::save_npz(folder / "x", {{"a", counting<bfloat16, 1>({1})}});
               }),
               ContainsSubstring("no BF16"));
    CHECK_THAT(message([&] {
                   io::save_npz(folder / "x", {{std::string(70000, 'a'), some[0].second}});
               }),
               ContainsSubstring("is too long"));
    CHECK(folder.files() == 1);
}

TEST_CASE("npz: hostile files", "[io]") {
    check_accepted("npz", [](const fs::path& path) { io::NpzFile::open(path); });
    check_refused("npz", "bad_",
                  {{"nothing", "not a zip file"},
                   {"no_end", "not a zip file: it has no end record"},
                   {"truncated", "not a zip file"},
                   {"directory_past_end", "the directory does not fit"},
                   {"directory_length", "the directory does not fit"},
                   {"count", "the directory does not fit"},
                   {"entry_marker", "a wrong directory entry"},
                   {"name_length", "a wrong directory entry"},
                   {"extra_length", "a wrong directory entry"},
                   {"two_parts", "archives in several parts"},
                   {"zip64_missing", "a wrong Zip64 field"},
                   {"zip64_locator", "a wrong Zip64 locator"},
                   {"zip64_record", "a wrong Zip64 locator"},
                   {"zip64_directory", "the directory does not fit"},
                   {"zip64_count", "the directory does not fit"},
                   {"name_twice", "the name \"a.npy\" is there twice"}},
                  [](const fs::path& path) { io::NpzFile::open(path); });

    std::map<std::string, std::string> arrays{{"checksum", "its checksum is"},
                                              {"local_marker", "its header is not there"},
                                              {"local_past_end", "its header is not there"},
                                              {"local_name_length", "it does not fit into the file"},
                                              {"size_past_end", "it does not fit into the file"},
                                              {"sizes_differ", "bytes cannot hold 1"},
                                              {"encrypted", "it is encrypted"},
                                              {"method", "unknown compression method 12"},
                                              {"deflate_bomb", "bytes cannot hold 4294967280"},
                                              {"deflate_short", "its compressed bytes are damaged"},
                                              {"deflate_long", "its compressed bytes are damaged"},
                                              {"deflate_damaged", "its compressed bytes are damaged"},
                                              {"not_npy", "not an npy file"}};
#ifndef WEFT_WITH_ZLIB
    for (const char* name : {"deflate_short", "deflate_long", "deflate_damaged"})
        arrays[name] = "built without WEFT_WITH_ZLIB";
#endif
    check_refused("npz", "array_", arrays, [](const fs::path& path) { io::NpzFile::open(path).tensors(); });
}

namespace {

/// A zip file of entries that are empty.
std::string empty_entries(const std::vector<std::string>& names, std::size_t limit) {
    std::string bytes;
    io::detail::ZipWriter zip(
        [&](std::span<const std::byte> b) { bytes.append(reinterpret_cast<const char*>(b.data()), b.size()); }, limit);
    for (const std::string& name : names) zip.add(name, {});
    zip.finish();
    return bytes;
}
io::detail::ZipReader<> read_zip(const std::string& bytes) {
    Storage storage = Storage::allocate(bytes.size());
    std::memcpy(storage.data(), bytes.data(), bytes.size());
    return io::detail::ZipReader<>(std::move(storage), "memory");
}
std::string refusal(const std::string& bytes) {
    return message([&] {
        const auto zip = read_zip(bytes);
        for (const std::string& name : zip.names()) zip.read(name);
    });
}
std::string changed(std::string bytes, std::size_t at, std::initializer_list<int> to) {
    for (const int b : to) bytes[at++] = static_cast<char>(b);
    return bytes;
}

} // namespace

TEST_CASE("npz: directories that are large, or behind a comment", "[io]") {
    // An archive whose entries begin within 32 bits, and whose directory does not.
    const auto wide = read_zip(empty_entries({"a"}, 40));
    CHECK(wide.names() == std::vector<std::string>{"a"});
    CHECK(wide.read("a").bytes() == 0);
    CHECK_THAT(message([&] { wide.read("b"); }), ContainsSubstring("there is no entry \"b\""));
    // More entries than 16 bits count.
    std::vector<std::string> names;
    for (int i = 0; i < 65536; ++i) names.push_back(fmt::format("{}", i));
    const std::string many = empty_entries(names, 0xffffffff);
    CHECK(read_zip(many).names() == names);
    // The end record is looked for in the last 64 KiB only.
    CHECK_THAT(refusal(many + std::string(70000, ' ')), ContainsSubstring("it has no end record"));
    // A comment in which something looks like an end record.
    std::string comment = empty_entries({"a"}, 0xffffffff);
    comment = changed(comment, comment.size() - 2, {30, 0}) + "PK\5\6" + std::string(26, '\0');
    CHECK(read_zip(comment).names() == std::vector<std::string>{"a"});
}

TEST_CASE("npz: directories that are wrong in one place", "[io]") {
    const std::string name(60, 'n');
    const std::string plain = empty_entries({name}, 0xffffffff);
    REQUIRE(refusal(plain).empty());
    const std::size_t directory = 30 + name.size(), end = plain.size() - 22;
    // The local header is said to be within the last 30 bytes, or behind them.
    for (const std::size_t at : {plain.size() - 10, plain.size() + 10})
        CHECK_THAT(refusal(changed(plain, directory + 42, {static_cast<int>(at), 0})),
                   ContainsSubstring("its header is not there"));
    CHECK_THAT(refusal(changed(plain, end + 10, {2, 0})), ContainsSubstring("a wrong directory entry")); // two entries

    // Everything in 64 bits: of the end record at the back, its locator, and the field of the entry.
    const std::string wide = empty_entries({name}, 0);
    REQUIRE(refusal(wide).empty());
    const std::size_t locator = wide.size() - 22 - 20, record = locator - 56;
    const std::size_t field = record - 28; // a marker, a length, and three numbers
    REQUIRE(wide.substr(field, 4) == std::string("\1\0\x18\0", 4));
    CHECK_THAT(refusal(changed(wide, locator + 8, {static_cast<int>(record + 1)})),
               ContainsSubstring("a wrong Zip64 locator"));
    CHECK_THAT(refusal(changed(wide, field, {2})), ContainsSubstring("a wrong Zip64 field"));
    CHECK_THAT(refusal(changed(wide, field + 2, {25})), ContainsSubstring("a wrong Zip64 field"));
    CHECK_THAT(refusal(changed(wide, field + 2, {16})), ContainsSubstring("a wrong Zip64 field"));
}
