// SPDX-License-Identifier: MIT
// Files at the wrong time: a full disk, files that end too soon, that are folders, empty or not to be read.
#include "../core/tensor_checks.hpp"
#include "../io/io_test.hpp"

#include <weft/io/extxyz.hpp>
#include <weft/nn/linear.hpp>
#include <weft/nn/state_dict.hpp>
#include <weft/potential/checkpoint.hpp>
#include <weft/potential/langevin.hpp>

#include <csignal>
#include <functional>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace weft_test;
using weft::Tensor;
namespace io = weft::io;

namespace {

/// Where a file may end so that it is one nevertheless: nowhere, within its last line, or behind any line as well.
enum class Ends { nowhere, last_line, any_line };

struct Format {
    std::string name;
    std::function<void(const fs::path&, weft::index size)> write;
    weft::index large, little;                 // sizes of more than 64 KiB, and of less than 2
    std::function<void(const fs::path&)> read; // all of it
    Ends ends = Ends::nowhere;
};

io::EdgeList<double> some_edges(weft::index count) {
    io::EdgeList<double> list;
    list.num_src = list.num_dst = count + 1;
    list.edge_index = Tensor<std::int32_t, 2>::empty({2, count});
    for (weft::index e = 0; e < count; ++e) {
        list.edge_index.mutable_data()[e] = static_cast<std::int32_t>(e);
        list.edge_index.mutable_data()[count + e] = static_cast<std::int32_t>(e + 1);
    }
    list.edge_weight = numbers<double, 1>({count});
    return list;
}
io::Atoms some_atoms(weft::index count) {
    io::Atoms atoms;
    atoms.numbers = Tensor<std::int32_t, 1>::full({count}, 6);
    atoms.positions = numbers<double, 2>({count, 3});
    atoms.info["energy"] = -1.5;
    return atoms;
}
weft::potential::SimulationState some_state(weft::index count) {
    weft::potential::SimulationState state;
    state.positions = numbers<double, 2>({count, 3}, 1);
    state.velocities = numbers<double, 2>({count, 3}, 2);
    state.masses = Tensor<double, 1>::ones({count});
    state.species = Tensor<std::int32_t, 1>::ones({count});
    return state;
}
weft::nn::Linear<float> some_linear(weft::index width) {
    weft::Generator generator{1};
    return weft::nn::Linear<float>(width, width, {.generator = &generator});
}

std::vector<Format> formats() {
    return {
        {"safetensors",
         [](const fs::path& p, weft::index n) {
             io::save_safetensors(p, {{"a", numbers<float, 2>({n, 4})}, {"b", numbers<double, 1>({3})}});
         },
         20000, 5,
         [](const fs::path& p) {
             const auto file = io::SafetensorsFile::read(p);
             static_cast<void>(file.get<float, 2>("a"));
             static_cast<void>(file.get<double, 1>("b"));
         }},
        {"npy", [](const fs::path& p, weft::index n) { io::save_npy(p, numbers<float, 1>({n})); }, 40000, 10,
         [](const fs::path& p) { static_cast<void>(io::load_npy<float, 1>(p)); }},
        {"npz",
         [](const fs::path& p, weft::index n) {
             io::save_npz(p, {{"a", numbers<float, 1>({n})}, {"b", numbers<double, 1>({3})}});
         },
         40000, 10, [](const fs::path& p) { static_cast<void>(io::NpzFile::open(p).tensors()); }},
        {"edge list", [](const fs::path& p, weft::index n) { io::save_edge_list(p, some_edges(n)); }, 10000, 12,
         [](const fs::path& p) { static_cast<void>(io::load_edge_list<double>(p)); }, Ends::any_line},
        {"Matrix Market", [](const fs::path& p, weft::index n) { io::save_matrix_market(p, some_edges(n)); }, 10000, 12,
         [](const fs::path& p) { static_cast<void>(io::load_matrix_market<double>(p)); }, Ends::last_line},
        {"extxyz",
         [](const fs::path& p, weft::index n) {
             io::write_extxyz(p, std::array{some_atoms(n), some_atoms(n)});
         },
         5000, 3, [](const fs::path& p) { static_cast<void>(io::read_extxyz(p)); }, Ends::any_line},
        {"simulation",
         [](const fs::path& p, weft::index n) {
             weft::potential::save_checkpoint(p, some_state(n),
                                              weft::potential::Langevin(weft::potential::LangevinOptions()));
         },
         5000, 2,
         [](const fs::path& p) { static_cast<void>(weft::potential::load_checkpoint<weft::potential::Langevin>(p)); }},
        {"state dict",
         [](const fs::path& p, weft::index n) { io::save_safetensors(p, weft::nn::state_dict(some_linear(n))); }, 200,
         3,
         [](const fs::path& p) {
             auto linear = some_linear(3);
             weft::nn::load_state_dict(linear, io::SafetensorsFile::read(p).tensors());
         }},
    };
}

/// No file may become larger than 64 KiB while it lives: stands in for a full disk.
class FullDisk {
public:
    FullDisk() : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit small{1 << 16, before_.rlim_max};
        if (setrlimit(RLIMIT_FSIZE, &small) != 0) throw std::runtime_error("setrlimit");
    }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;
    ~FullDisk() {
        setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

private:
    void (*handler_)(int);
    rlimit before_{};
};

} // namespace

TEST_CASE("files: a full disk is an error, and the file that was there stays", "[faults]") {
    for (const Format& format : formats()) {
        INFO(format.name);
        const TemporaryFolder folder;
        format.write(folder / "file", format.little);
        const std::string before = read_text(folder / "file");
        REQUIRE(before.size() < 2048);
        std::string error;
        {
            const FullDisk full;
            error = message([&] { format.write(folder / "file", format.large); });
        }
        CHECK_THAT(error, ContainsSubstring("weft: write: ") && ContainsSubstring((folder / "file").string()));
        CHECK(read_text(folder / "file") == before);
        CHECK(folder.files() == 1);
        REQUIRE_NOTHROW(format.write(folder / "file", format.large));
        CHECK(read_text(folder / "file").size() > 1 << 16);
        CHECK(folder.files() == 1);
    }
}

TEST_CASE("files: a trajectory on a full disk keeps the frames it has", "[faults]") {
    const TemporaryFolder folder;
    {
        io::ExtxyzWriter writer(folder / "file");
        writer.write(some_atoms(3));
        const FullDisk full;
        const std::string error = message([&] { writer.write(some_atoms(5000)); });
        CHECK_THAT(error, ContainsSubstring("weft: write: "));
        CHECK(io::read_extxyz(folder / "file").size() == 1);
        writer.write(some_atoms(2)); // there is room for this one
    }
    REQUIRE(io::read_extxyz(folder / "file").size() == 2);
}

TEST_CASE("files: one that ends too soon", "[faults]") {
    for (const Format& format : formats()) {
        INFO(format.name);
        const TemporaryFolder folder;
        format.write(folder / "whole", format.little);
        REQUIRE_NOTHROW(format.read(folder / "whole"));
        const std::string text = read_text(folder / "whole");
        const std::size_t last_line = text.rfind('\n', text.size() - 2) + 1;
        for (std::size_t size = 0; size < text.size(); ++size) {
            INFO(size << " of " << text.size() << " bytes");
            write_text(folder / "part", text.substr(0, size));
            bool accepted = true;
            std::string error;
            try {
                format.read(folder / "part");
            } catch (const weft::Error& e) {
                accepted = false;
                error = e.what();
            }
            if (accepted)
                REQUIRE((format.ends == Ends::any_line || (format.ends == Ends::last_line && size > last_line)));
            else
                REQUIRE((error.find("part") != error.npos && error.size() < 1000));
        }
    }
}

TEST_CASE("files: folders, empty files, files that may not be read", "[faults]") {
    for (const Format& format : formats()) {
        INFO(format.name);
        const TemporaryFolder folder;
        fs::create_directory(folder / "folder");
        const std::string is_folder = message([&] { format.read(folder / "folder"); });
        CHECK_THAT(is_folder, ContainsSubstring("is not a regular file") && ContainsSubstring("folder"));
        const std::string into_folder = message([&] { format.write(folder / "folder", format.little); });
        CHECK_THAT(into_folder, ContainsSubstring("is not a regular file"));
        CHECK_THAT(message([&] { format.read(folder / "none"); }), ContainsSubstring("no such file"));
        CHECK_THAT(message([&] { format.write(folder / "none" / "file", format.little); }), ContainsSubstring("none"));
        CHECK_THAT(message([&] { format.write("/dev/full", format.little); }),
                   ContainsSubstring("is not a regular file"));

        write_text(folder / "empty", "");
        const std::string empty = message([&] { format.read(folder / "empty"); });
        if (format.ends == Ends::nowhere) CHECK_THAT(empty, ContainsSubstring("empty"));

        format.write(folder / "closed", format.little);
        ::chmod((folder / "closed").c_str(), 0);
        const bool root = ::geteuid() == 0; // may read everything
        if (root && ::seteuid(65534) != 0) continue;
        const std::string closed = message([&] { format.read(folder / "closed"); });
        if (root) REQUIRE(::seteuid(0) == 0);
        CHECK_THAT(closed, ContainsSubstring("closed: Permission denied"));
    }
}

TEST_CASE("files: what is read before the file is shortened stays", "[faults]") {
    // A file that is shortened while it is mapped is no error that can be caught (see MappedFile). Replacing it is
    // fine, for every reader of this library and while its tensors live.
    const TemporaryFolder folder;
    const auto old = numbers<float, 1>({5000}, 1), next = numbers<float, 1>({10}, 2);
    io::save_safetensors(folder / "file", {{"a", old}});
    const auto file = io::SafetensorsFile::read(folder / "file");
    const auto a = file.get<float, 1>("a");
    io::save_safetensors(folder / "file", {{"a", next}});
    CHECK(same_bits(a, old));
    CHECK(same_bits(file.get<float, 1>("a"), old));
    CHECK(same_bits(io::SafetensorsFile::read(folder / "file").get<float, 1>("a"), next));
    // What has its own memory does not care.
    io::save_npy(folder / "array", old);
    const weft::Storage copy = io::read_file(folder / "array");
    fs::resize_file(folder / "array", 10);
    const std::size_t bytes = 5000 * sizeof(float);
    REQUIRE(copy.bytes() > bytes);
    CHECK(std::memcmp(copy.data() + copy.bytes() - bytes, old.data(), bytes) == 0);
}
