// SPDX-License-Identifier: MIT
#include "io_test.hpp"

#if defined(__unix__)
#include <sys/resource.h>
#endif

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

// A file of /sys says that it has a page of bytes, cannot be mapped, and has fewer.
TEST_CASE("mapped_file: what cannot be mapped is read, and must have the bytes it claims", "[io]") {
    const fs::path path = "/sys/kernel/mm/transparent_hugepage/enabled";
    std::error_code code;
    if (!fs::is_regular_file(path, code)) return;
    CHECK_THAT(message([&] { io::map_file(path); }), ContainsSubstring("bytes could be read"));
}

#if defined(__unix__)
TEST_CASE("mapped_file: no descriptor is left", "[io]") {
    const TemporaryFolder folder;
    write_text(folder / "file", "text");
    struct Restore {
        ::rlimit before{};
        Restore() { ::getrlimit(RLIMIT_NOFILE, &before); }
        ~Restore() { ::setrlimit(RLIMIT_NOFILE, &before); }
    } restore;
    const ::rlimit none{0, restore.before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    const std::string mapped = message([&] { io::map_file(folder / "file"); });
    const std::string read = message([&] { io::read_file(folder / "file"); });
    ::setrlimit(RLIMIT_NOFILE, &restore.before);
    CHECK_THAT(mapped, ContainsSubstring("weft: open: ") && ContainsSubstring("Too many open files"));
    CHECK_THAT(read, ContainsSubstring("weft: read_file: ") && ContainsSubstring("Too many open files"));
    CHECK(io::map_file(folder / "file").bytes() == 4);
}
#endif
