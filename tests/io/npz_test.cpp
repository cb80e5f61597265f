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
