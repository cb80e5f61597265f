// SPDX-License-Identifier: MIT
#pragma once

#include "weft_test.hpp"

#include <weft/core/ops.hpp>

#include <cmath>
#include <cstring>
#include <vector>

namespace weft_test {

/// Lengths at which packets, blocks and chunks begin and end.
template <class T>
std::vector<weft::index> edge_lengths() {
    const weft::index w = weft::lanes<T>;
    return {0, 1, w - 1, w, w + 1, 2047, 2048, 2049};
}

/// Numbers in [-2, 2] that differ from each other, the same in every run.
template <class T, int N>
weft::Tensor<T, N> numbers(const weft::Extents<N>& extents, unsigned seed = 1) {
    auto t = weft::Tensor<T, N>::empty(extents);
    std::uint64_t state = seed * 0x9e3779b97f4a7c15ull;
    for (T& x : t.mutable_values()) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        x = T(4 * static_cast<double>(state >> 11) / 9007199254740992.0 - 2);
    }
    return t;
}

template <class T, int N>
bool same_bits(const weft::Tensor<T, N>& a, const weft::Tensor<T, N>& b) {
    return a.shape() == b.shape() &&
           (a.size() == 0 || std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(T)) == 0);
}

/// Requires that f() gives the same bits on 1, 2, 3 and 7 threads.
template <class F>
void require_thread_independent(F f) {
    struct Restore {
        ~Restore() { weft::set_thread_count(0); }
    } restore;
    weft::set_thread_count(1);
    const auto serial = f();
    for (const int threads : {2, 3, 7}) {
        weft::set_thread_count(threads);
        INFO(threads << " threads");
        REQUIRE(same_bits(serial, f()));
    }
}

/// The message of the Error that f() throws.
template <class F>
std::string error_of(F f) {
    try {
        f();
    } catch (const weft::Error& e) {
        return e.what();
    }
    return "nothing was thrown";
}

} // namespace weft_test
