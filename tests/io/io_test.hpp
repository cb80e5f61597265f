// SPDX-License-Identifier: MIT
#pragma once

#include "weft_test.hpp"

#include <weft/io.hpp>

#include <fstream>
#include <iterator>
#include <map>

namespace weft_test {

namespace fs = std::filesystem;

/// The folder of these tests' own files: tests/<name>.
inline fs::path source_folder(const std::string& name) { return fs::path(WEFT_TEST_FOLDER) / name; }

/// A folder that goes away with the object.
class TemporaryFolder {
public:
    TemporaryFolder() {
        static int count = 0;
        path_ = fs::temp_directory_path() /
                fmt::format("weft-{}-{}", std::chrono::steady_clock::now().time_since_epoch().count(), ++count);
        fs::create_directory(path_);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code code;
        fs::remove_all(path_, code);
    }
    fs::path operator/(const std::string& name) const { return path_ / name; }
    const fs::path& path() const { return path_; }
    std::size_t files() const {
        return static_cast<std::size_t>(std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
    }

private:
    fs::path path_;
};

inline std::string read_text(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}
inline void write_text(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

/// The message of the weft::Error that `f` throws; empty when it throws none.
template <class F>
std::string message(F&& f) {
    try {
        f();
    } catch (const weft::Error& e) {
        return e.what();
    }
    return {};
}

/// Runs `read(path)` on every file of tests/fuzz/corpus/<fuzzer> whose name begins with `prefix`: it must throw an
/// Error that names the file and contains the text that `expected` has for it.
template <class F>
void check_refused(const std::string& fuzzer, const std::string& prefix,
                   const std::map<std::string, std::string>& expected, F&& read) {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(source_folder("fuzz") / "corpus" / fuzzer)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(prefix)) continue;
        ++count;
        INFO(name);
        const auto text = expected.find(name.substr(prefix.size()));
        REQUIRE(text != expected.end());
        const std::string error = message([&] { read(entry.path()); });
        CHECK_THAT(error, ContainsSubstring(text->second));
        CHECK_THAT(error, ContainsSubstring(name));
        CHECK(error.starts_with("weft: "));
        CHECK(error.size() < 1000 + entry.path().string().size());
        CHECK(weft::io::detail::is_utf8(error));
    }
    CHECK(count == expected.size());
}

/// Runs `read(path)` on every file of tests/fuzz/corpus/<fuzzer> whose name begins with good_.
template <class F>
void check_accepted(const std::string& fuzzer, F&& read) {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(source_folder("fuzz") / "corpus" / fuzzer)) {
        if (!entry.path().filename().string().starts_with("good_")) continue;
        ++count;
        INFO(entry.path().filename().string());
        REQUIRE_NOTHROW(read(entry.path()));
    }
    CHECK(count > 3);
}

/// A tensor of that shape holding 0, 1, 2, ... (BOOL: 0, 1, 0, 1, ...).
template <class T, int N>
weft::Tensor<T, N> counting(const weft::Extents<N>& shape) {
    auto t = weft::Tensor<T, N>::empty(shape);
    for (weft::index i = 0; i < t.size(); ++i) {
        if constexpr (std::is_same_v<T, bool>)
            t.mutable_data()[i] = i % 2 == 1;
        else
            t.mutable_data()[i] = T(static_cast<float>(i));
    }
    return t;
}

/// Same shape and the same bytes.
template <class T, int N>
bool same(const weft::Tensor<T, N>& a, const weft::Tensor<T, N>& b) {
    return a.shape() == b.shape() &&
           (a.size() == 0 || std::memcmp(a.data(), b.data(), sizeof(T) * static_cast<std::size_t>(a.size())) == 0);
}
inline bool same(const weft::io::AnyTensor& a, const weft::io::AnyTensor& b) {
    const auto x = a.bytes(), y = b.bytes();
    return a.dtype() == b.dtype() && a.shape() == b.shape() && std::equal(x.begin(), x.end(), y.begin(), y.end());
}

} // namespace weft_test
