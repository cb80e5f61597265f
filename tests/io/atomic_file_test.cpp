// SPDX-License-Identifier: MIT
#include "io_test.hpp"

using namespace weft;
using namespace weft_test;

TEST_CASE("atomic_file: nothing is at the path before commit", "[io]") {
    const TemporaryFolder folder;
    {
        io::AtomicFile file(folder / "new");
        file.write("some ");
        file.write("text");
        REQUIRE(!fs::exists(folder / "new"));
        REQUIRE(folder.files() == 1);
        file.commit();
        REQUIRE(read_text(folder / "new") == "some text");
    }
    REQUIRE(read_text(folder / "new") == "some text");
    REQUIRE(folder.files() == 1);
}

TEST_CASE("atomic_file: an exception on the way leaves the old file and no other", "[io]") {
    const TemporaryFolder folder;
    write_text(folder / "file", "old");
    try {
        io::AtomicFile file(folder / "file");
        file.write(std::string(1 << 20, 'x'));
        throw std::runtime_error("on the way");
    } catch (const std::runtime_error&) {
    }
    REQUIRE(read_text(folder / "file") == "old");
    REQUIRE(folder.files() == 1);
    // A save that fails half way: the second name is refused.
    const io::AnyTensor tensor = Tensor<float, 1>::from({1, 2});
    REQUIRE_THROWS_AS(io::save_safetensors(folder / "file", {{"a", tensor}, {"\xff", tensor}}), Error);
    REQUIRE_THROWS_AS(io::save_npz(folder / "file", {{"a", tensor}, {"a", tensor}}), Error);
    REQUIRE(read_text(folder / "file") == "old");
    REQUIRE(folder.files() == 1);
}

TEST_CASE("atomic_file: keeps permissions, follows links", "[io]") {
    const TemporaryFolder folder;
    write_text(folder / "file", "old");
    const auto mode = fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read;
    fs::permissions(folder / "file", mode);
    fs::create_symlink("file", folder / "link");
    fs::create_symlink(folder / "link", folder / "link2");
    io::AtomicFile file(folder / "link2");
    file.write("new");
    file.commit();
    REQUIRE(fs::is_symlink(folder / "link2"));
    REQUIRE(fs::is_symlink(folder / "link"));
    REQUIRE(read_text(folder / "file") == "new");
    REQUIRE(fs::status(folder / "file").permissions() == mode);
    REQUIRE(folder.files() == 3);

    fs::create_symlink("circle", folder / "circle");
    CHECK_THAT(message([&] { io::AtomicFile(folder / "circle"); }), ContainsSubstring("too many symbolic links"));
}

TEST_CASE("atomic_file: where no file can be", "[io]") {
    const TemporaryFolder folder;
    CHECK_THAT(message([&] { io::AtomicFile(folder.path()); }), ContainsSubstring("is not a regular file"));
    CHECK_THAT(message([&] { io::AtomicFile(folder / "missing/file"); }), ContainsSubstring("missing/file"));
    CHECK_THAT(message([&] { io::AtomicFile("/dev/null"); }), ContainsSubstring("is not a regular file"));
    REQUIRE(folder.files() == 0);
}

TEST_CASE("atomic_file: two writers of one path do not mix", "[io]") {
    const TemporaryFolder folder;
    io::AtomicFile first(folder / "file"), second(folder / "file");
    first.write("first");
    second.write("second");
    second.commit();
    REQUIRE(read_text(folder / "file") == "second");
    first.commit();
    REQUIRE(read_text(folder / "file") == "first");
    REQUIRE(folder.files() == 1);
}

#if __has_include(<sys/resource.h>)
#include <csignal>
#include <sys/resource.h>

TEST_CASE("atomic_file: no room is an error, and the old file stays", "[io]") {
    const TemporaryFolder folder;
    write_text(folder / "file", "old");
    // A limit on the size of files stands in for a full disk.
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{1 << 16, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    const std::string error = message([&] {
        io::AtomicFile file(folder / "file");
        file.write(std::string(1 << 20, 'x'));
        file.commit();
    });
    const std::string small_error = message([&] {
        io::AtomicFile file(folder / "file");
        for (int i = 0; i < 70000; ++i) file.write("x");
        file.commit();
    });
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    CHECK_THAT(error, ContainsSubstring("weft: write: "));
    CHECK_THAT(small_error, ContainsSubstring("weft: write: "));
    REQUIRE(read_text(folder / "file") == "old");
    REQUIRE(folder.files() == 1);
}
#endif
