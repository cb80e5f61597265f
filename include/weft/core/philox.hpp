// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/index.hpp>

#include <array>
#include <cstdint>

namespace weft::inline WEFT_ABI {

namespace detail {

// One round on the words a..d of a counter, and the next key.
WEFT_ALWAYS_INLINE constexpr void philox_round(std::uint32_t& a, std::uint32_t& b, std::uint32_t& c, std::uint32_t& d,
                                               std::uint32_t key0, std::uint32_t key1) {
    const std::uint64_t p = std::uint64_t{0xD2511F53u} * a, q = std::uint64_t{0xCD9E8D57u} * c;
    a = static_cast<std::uint32_t>(q >> 32) ^ b ^ key0;
    b = static_cast<std::uint32_t>(q);
    c = static_cast<std::uint32_t>(p >> 32) ^ d ^ key1;
    d = static_cast<std::uint32_t>(p);
}

} // namespace detail

/// Philox4x32-10: 128 random bits as a function of a 128-bit counter and a 64-bit key, least significant words first.
/// Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
    auto [a, b, c, d] = counter;
    for (std::uint32_t round = 0; round < 10; ++round)
        detail::philox_round(a, b, c, d, key[0] + round * 0x9E3779B9u, key[1] + round * 0xBB67AE85u);
    return {a, b, c, d};
}

namespace detail {

inline constexpr index philox_counters = 16;
inline constexpr index philox_words = 4 * philox_counters;

/// Word w of the counter (position + i, stream) goes to words[16 w + i], for i in [0, 16). `position` must be a
/// multiple of 16. Word-major, so that the loop over the counters is one of vectors.
inline void philox_block(std::uint64_t seed, std::uint64_t stream, std::uint64_t position, std::uint32_t* words) {
    const auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
    const auto low = static_cast<std::uint32_t>(position), high = static_cast<std::uint32_t>(position >> 32);
    const auto stream0 = static_cast<std::uint32_t>(stream), stream1 = static_cast<std::uint32_t>(stream >> 32);
    for (std::uint32_t i = 0; i < philox_counters; ++i) {
        std::uint32_t a = low + i, b = high, c = stream0, d = stream1;
        philox_round(a, b, c, d, key0, key1);
        philox_round(a, b, c, d, key0 + 1 * 0x9E3779B9u, key1 + 1 * 0xBB67AE85u);
        philox_round(a, b, c, d, key0 + 2 * 0x9E3779B9u, key1 + 2 * 0xBB67AE85u);
        philox_round(a, b, c, d, key0 + 3 * 0x9E3779B9u, key1 + 3 * 0xBB67AE85u);
        philox_round(a, b, c, d, key0 + 4 * 0x9E3779B9u, key1 + 4 * 0xBB67AE85u);
        philox_round(a, b, c, d, key0 + 5 * 0x9E3779B9u, key1 + 5 * 0xBB67AE85u);
        philox_round(a, b, c, d, key0 + 6 * 0x9E3779B9u, key1 + 6 * 0xBB67AE85u);
        philox_round(a, b, c, d, key0 + 7 * 0x9E3779B9u, key1 + 7 * 0xBB67AE85u);
        philox_round(a, b, c, d, key0 + 8 * 0x9E3779B9u, key1 + 8 * 0xBB67AE85u);
        philox_round(a, b, c, d, key0 + 9 * 0x9E3779B9u, key1 + 9 * 0xBB67AE85u);
        words[i] = a;
        words[16 + i] = b;
        words[32 + i] = c;
        words[48 + i] = d;
    }
}

} // namespace detail

} // namespace weft::inline WEFT_ABI
