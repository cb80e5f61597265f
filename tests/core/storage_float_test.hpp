// SPDX-License-Identifier: MIT
#pragma once

#include "weft_test.hpp"

#include <weft/core/storage_float.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace weft_test {

inline std::uint32_t word(float x) { return std::bit_cast<std::uint32_t>(x); }

/// The number that `bits` denotes, computed from the definition of the format, in double; finite patterns only.
inline double denoted(unsigned bits, int fraction_bits, int bias) {
    const unsigned fraction = bits & ((1u << fraction_bits) - 1u);
    const int exponent = static_cast<int>((bits & 0x7fffu) >> fraction_bits);
    const double size = exponent == 0 ? std::ldexp(fraction, 1 - bias - fraction_bits)
                                      : std::ldexp(fraction + (1u << fraction_bits), exponent - bias - fraction_bits);
    return (bits & 0x8000u) != 0 ? -size : size;
}

template <class H>
void check_decode(int fraction_bits, int bias) {
    const unsigned infinity = 0x7fffu & ~((1u << fraction_bits) - 1u);
    std::size_t wrong = 0;
    for (unsigned b = 0; b < 0x10000u; ++b) {
        const H h = H::from_bits(static_cast<std::uint16_t>(b));
        const float x = h;
        const unsigned size = b & 0x7fffu;
        bool right = std::signbit(x) == (b >= 0x8000u);
        if (size < infinity) {
            right = right && static_cast<double>(x) == denoted(b, fraction_bits, bias) && H(x).bits() == b;
        } else if (size == infinity) {
            right = right && std::isinf(x) && H(x).bits() == b;
        } else { // NaN: quiet, same payload
            right = right && word(x) == ((b & 0x8000u) << 16 | 0x7fc00000u | (size - infinity) << (23 - fraction_bits));
            right = right && H(x).bits() == (b | 1u << (fraction_bits - 1));
        }
        wrong += !right;
    }
    REQUIRE(wrong == 0);
}

/// All neighbours and midpoints of representable numbers, against the definition of rounding.
template <class H>
void check_encode(int fraction_bits, int bias) {
    const unsigned infinity = 0x7fffu & ~((1u << fraction_bits) - 1u);
    std::size_t wrong = 0;
    const auto expect = [&](double x, unsigned bits) {
        const auto f = static_cast<float>(x);
        if (static_cast<double>(f) != x) return; // below float's own resolution
        wrong += H(f).bits() != bits;
        wrong += H(-f).bits() != (bits | 0x8000u);
        wrong += H(x).bits() != bits;
    };
    for (unsigned b = 0; b < infinity; ++b) {
        const double low = denoted(b, fraction_bits, bias), high = denoted(b + 1, fraction_bits, bias);
        const double middle = low + (high - low) / 2; // of the last number, and where 2^(bias+1) would be
        expect(low, b);
        expect(middle, b % 2 == 0 ? b : b + 1);
        expect(static_cast<double>(std::nextafter(static_cast<float>(middle), 0.0f)), b);
        const float above = std::nextafter(static_cast<float>(middle), 1e38f);
        if (static_cast<double>(above) > middle) expect(static_cast<double>(above), b + 1);
    }
    REQUIRE(wrong == 0);
    const float inf = std::numeric_limits<float>::infinity();
    REQUIRE(H(inf).bits() == infinity);
    REQUIRE(H(-inf).bits() == (infinity | 0x8000u));
    REQUIRE(H(std::numeric_limits<float>::max()).bits() == infinity);
    REQUIRE(H(std::numeric_limits<double>::max()).bits() == infinity);
    REQUIRE(H(static_cast<double>(inf)).bits() == infinity);
    REQUIRE(std::isnan(H(std::nan("")).operator float()));
    REQUIRE(std::isnan(H(std::bit_cast<float>(0x7f800001u)).operator float()));
}

/// A double just above a midpoint, by less than float resolves, must still round up.
template <class H>
void check_double(int fraction_bits) {
    for (const double scale : {1.0, 4.0, -32.0}) {
        const double one = 1, half_step = std::ldexp(1.0, -fraction_bits - 1), tiny = 0x1p-40;
        REQUIRE(H(scale * (one + half_step)) == static_cast<float>(scale));
        REQUIRE(H(scale * (one + half_step + tiny)) == static_cast<float>(scale * (one + 2 * half_step)));
        REQUIRE(H(scale * (one + half_step - tiny)) == static_cast<float>(scale));
        REQUIRE(H(scale * (one + 3 * half_step)) == static_cast<float>(scale * (one + 4 * half_step)));
        REQUIRE(H(scale * (one + 3 * half_step - tiny)) == static_cast<float>(scale * (one + 2 * half_step)));
    }
}

template <class H>
void check_bulk() {
    std::vector<H> all(0x10000);
    for (unsigned b = 0; b < 0x10000u; ++b) all[b] = H::from_bits(static_cast<std::uint16_t>(b));
    std::vector<float> floats(all.size());
    convert(all.data(), floats.data(), static_cast<weft::index>(all.size()));
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < all.size(); ++i) wrong += word(floats[i]) != word(float(all[i]));
    REQUIRE(wrong == 0);

    // Floats: a stride over all patterns, and around every midpoint (the low bits 0x1000 of half, 0x8000 of bfloat16).
    floats.clear();
    for (std::uint64_t w = 0; w < 0x100000000u; w += 7919) floats.push_back(std::bit_cast<float>(std::uint32_t(w)));
    for (std::uint64_t w = 0; w < 0x100000000u; w += 0x1000)
        for (const std::uint32_t step : {0u, 1u, 0xfffu})
            floats.push_back(std::bit_cast<float>(std::uint32_t(w) + step));
    all.resize(floats.size());
    convert(floats.data(), all.data(), static_cast<weft::index>(all.size()));
    for (std::size_t i = 0; i < all.size(); ++i) wrong += all[i].bits() != H(floats[i]).bits();
    REQUIRE(wrong == 0);

    // Every length up to some blocks, at odd addresses, and nothing written behind the end.
    for (weft::index n = 0; n < 100; ++n) {
        std::vector<H> out(static_cast<std::size_t>(n) + 2, H(7.0f));
        convert(floats.data() + 12345, out.data() + 1, n);
        for (weft::index i = 0; i < n; ++i)
            wrong +=
                out[static_cast<std::size_t>(i) + 1].bits() != H(floats[static_cast<std::size_t>(i) + 12345]).bits();
        wrong += out.front() != 7.0f || out.back() != 7.0f;
        std::vector<float> back(static_cast<std::size_t>(n) + 2, 7.0f);
        convert(all.data() + 777, back.data() + 1, n);
        for (weft::index i = 0; i < n; ++i)
            wrong += word(back[static_cast<std::size_t>(i) + 1]) != word(float(all[static_cast<std::size_t>(i) + 777]));
        wrong += back.front() != 7.0f || back.back() != 7.0f;
    }
    REQUIRE(wrong == 0);

    // Constant evaluation never uses instructions of the processor: it checks them.
    constexpr auto table = [] {
        std::array<std::uint32_t, 512> t{};
        for (std::size_t i = 0; i < t.size(); ++i)
            t[i] = std::bit_cast<std::uint32_t>(float(H::from_bits(static_cast<std::uint16_t>(i * 128 + i % 3))));
        return t;
    }();
    for (std::size_t i = 0; i < table.size(); ++i)
        wrong += table[i] != word(float(H::from_bits(static_cast<std::uint16_t>(i * 128 + i % 3))));
    REQUIRE(wrong == 0);
}

} // namespace weft_test
