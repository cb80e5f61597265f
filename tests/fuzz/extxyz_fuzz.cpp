// SPDX-License-Identifier: MIT
// Any text: parts of a frame fit each other, and what is written is read again as the same.
#include "require.hpp"

#include <weft/io/extxyz.hpp>

#include <cstdint>
#include <cstdlib>

using namespace weft;
using weft_test::require;

namespace {

/// Equal; of numbers, both may be no number.
template <class T>
bool same(const T& a, const T& b) {
    if constexpr (std::same_as<T, double>) {
        return a == b || (a != a && b != b);
    } else if constexpr (std::same_as<T, std::vector<double>>) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end(), same<double>);
    } else if constexpr (std::same_as<T, io::TextColumns>) {
        return a.columns == b.columns && a.values == b.values;
    } else if constexpr (requires { a.shape(); }) {
        return a.shape() == b.shape() &&
               std::equal(a.values().begin(), a.values().end(), b.values().begin(), same<typename T::value_type>);
    } else {
        return a == b;
    }
}
template <class V>
bool same(const io::NamedValues<V>& a, const io::NamedValues<V>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
        return x.first == y.first && x.second.index() == y.second.index() &&
               std::visit([&](const auto& v) { return same(v, std::get<std::decay_t<decltype(v)>>(y.second)); },
                          x.second);
    });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    std::vector<io::Atoms> frames;
    std::size_t whole = 0;
    try {
        whole = io::detail::whole_frames(input, "input");
        frames = io::parse_extxyz(input, "input");
    } catch (const Error&) {
        require(whole <= size);
        return 0;
    }
    require(io::parse_extxyz(input.substr(0, whole)).size() == frames.size());
    for (const io::Atoms& a : frames) {
        for (const std::int32_t number : a.numbers.values()) require(number >= 0 && number <= 118);
        require(a.positions.shape() == Extents<2>{a.size(), 3});
        for (const auto* key : {"energy", "stress", "forces"}) {
            try {
                a.energy(key);
                a.stress(key);
                a.forces(key);
            } catch (const Error&) {
            }
        }
    }
    const std::string text = io::extxyz_text(frames);
    const auto again = io::parse_extxyz(text, "written");
    require(frames.size() == again.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const io::Atoms &a = frames[i], &b = again[i];
        require(same(a.numbers, b.numbers));
        require(same(a.positions, b.positions));
        require(a.cell == b.cell && a.pbc == b.pbc);
        require(same(a.info, b.info));
        require(same(a.arrays, b.arrays));
    }
    require(io::extxyz_text(again) == text);
    return 0;
}
