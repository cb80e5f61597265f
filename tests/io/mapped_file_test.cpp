// SPDX-License-Identifier: MIT
#include "io_test.hpp"

using namespace weft;
using namespace weft_test;

TEST_CASE("mapped_file: the bytes of the file, zeros after them", "[io]") {
    const TemporaryFolder folder;
    for (const std::size_t size : {1u, 63u, 4095u, 4096u, 4097u, 100000u}) {
        std::string text(size, 'x');
        for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 26);
        write_text(folder / "file", text);
        const io::MappedFile file(folder / "file");
        REQUIRE(file.bytes().size() == size);
        REQUIRE(std::memcmp(file.bytes().data(), text.data(), size) == 0);
        for (std::size_t i = 0; i < 64; ++i) REQUIRE(file.bytes().data()[size + i] == std::byte{0});
    }
}

TEST_CASE("mapped_file: an empty file, and moves", "[io]") {
    const TemporaryFolder folder;
    write_text(folder / "empty", "");
    REQUIRE(io::MappedFile(folder / "empty").bytes().empty());
    REQUIRE(io::map_file(folder / "empty").bytes() == 0);
    REQUIRE(io::read_file(folder / "empty").bytes() == 0);

    write_text(folder / "a", "first");
    write_text(folder / "b", "second");
    io::MappedFile a(folder / "a"), b(folder / "b");
    io::MappedFile c(std::move(a));
    c = std::move(b);
    REQUIRE(std::memcmp(c.bytes().data(), "second", 6) == 0);
}

TEST_CASE("mapped_file: the map outlives the path, and a replacement", "[io]") {
    const TemporaryFolder folder;
    write_text(folder / "file", "before");
    const Storage storage = io::map_file(folder / "file");
    io::AtomicFile file(folder / "file");
    file.write("after");
    file.commit();
    REQUIRE(storage.foreign());
    REQUIRE(std::memcmp(storage.data(), "before", storage.bytes()) == 0);
    fs::remove(folder / "file");
    REQUIRE(std::memcmp(storage.data(), "before", 6) == 0);
}

TEST_CASE("mapped_file: what is not a file", "[io]") {
    const TemporaryFolder folder;
    const std::string missing = (folder / "missing").string();
    for (const auto& read :
         {+[](const fs::path& p) { io::map_file(p); }, +[](const fs::path& p) { io::read_file(p); }}) {
        CHECK_THAT(message([&] { read(missing); }), ContainsSubstring(missing + ": no such file"));
        CHECK_THAT(message([&] { read(folder.path()); }), ContainsSubstring("is not a regular file"));
    }
    write_text(folder / "file", "text");
    CHECK_THAT(message([&] { io::map_file(folder / "file/below"); }), ContainsSubstring("no such file"));
}
