// SPDX-License-Identifier: MIT
#pragma once

// Catch2 2 (Debian 12) and 3 (Debian 13) under the same names: the macros, `Approx` and `ContainsSubstring`.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#else
#include <catch2/catch.hpp>
inline auto ContainsSubstring(const std::string& text) { return Catch::Matchers::Contains(text); }
#endif

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace weft_test {

namespace detail {
inline std::filesystem::path folder(const char* variable, const std::string& name) {
    const char* root = std::getenv(variable);
    return root == nullptr ? std::filesystem::path() : std::filesystem::path(root) / name;
}
} // namespace detail

/// The folder of the reference results `name`, of a form of their own (others: golden.hpp): below WEFT_GOLDEN_DIR where
/// they are there, else in tests/golden/. Tag such tests [golden].
inline std::filesystem::path golden_folder(const std::string& name) {
    const auto given = detail::folder("WEFT_GOLDEN_DIR", name);
    if (!given.empty() && std::filesystem::exists(given)) return given;
    const auto kept = std::filesystem::path(WEFT_TEST_FOLDER) / "golden" / name;
    if (!std::filesystem::exists(kept)) throw std::runtime_error("no reference results " + kept.string());
    return kept;
}

/// The folder of the dataset `name` below WEFT_DATA_DIR; in tests tagged [data], which run only where that is set.
inline std::filesystem::path data_folder(const std::string& name) {
    const auto given = detail::folder("WEFT_DATA_DIR", name);
    if (given.empty() || !std::filesystem::exists(given)) throw std::runtime_error("no dataset " + name);
    return given;
}

} // namespace weft_test
