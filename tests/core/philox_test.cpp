// SPDX-License-Identifier: MIT
#include "weft_test.hpp"

#include <weft/core/philox.hpp>

#include <bit>
#include <cmath>

using Counter = std::array<std::uint32_t, 4>;

// The known answers of Random123 1.14 (kat_vectors); the last counter and key are digits of pi.
TEST_CASE("philox: known answers", "[core]") {
    constexpr std::uint32_t ones = 0xffffffffu;
    static_assert(weft::philox4x32({0, 0, 0, 0}, {0, 0}) ==
                  Counter{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
    static_assert(weft::philox4x32({ones, ones, ones, ones}, {ones, ones}) ==
                  Counter{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
    static_assert(weft::philox4x32({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, {0xa4093822u, 0x299f31d0u}) ==
                  Counter{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u});
    REQUIRE(weft::philox4x32({0, 0, 0, 0}, {0, 0})[0] == 0x6627e8d5u);
}

TEST_CASE("philox: a block has the words of its counters", "[core]") {
    const std::uint64_t seed = 0x0123456789abcdefu;
    for (const std::uint64_t stream : {std::uint64_t{0}, std::uint64_t{0xfedcba9876543210u}})
        for (const std::uint64_t position :
             {std::uint64_t{0}, std::uint64_t{0xfffffff0u}, std::uint64_t{1} << 32, ~std::uint64_t{15}}) {
            std::array<std::uint32_t, weft::detail::philox_words> words{};
            weft::detail::philox_block(seed, stream, position, words.data());
            for (std::uint64_t i = 0; i < 16; ++i) {
                const std::uint64_t p = position + i;
                const Counter expected = weft::philox4x32(
                    {std::uint32_t(p), std::uint32_t(p >> 32), std::uint32_t(stream), std::uint32_t(stream >> 32)},
                    {0x89abcdefu, 0x01234567u});
                for (std::size_t w = 0; w < 4; ++w) REQUIRE(words[16 * w + i] == expected[w]);
            }
        }
}

TEST_CASE("philox: one changed bit of counter or key changes half of the bits", "[core]") {
    int flipped = 0;
    for (unsigned bit = 0; bit < 192; ++bit) {
        Counter counter{1, 2, 3, 4};
        std::array<std::uint32_t, 2> key{5, 6};
        const Counter before = weft::philox4x32(counter, key);
        if (bit < 128)
            counter[bit / 32] ^= 1u << bit % 32;
        else
            key[bit / 32 - 4] ^= 1u << bit % 32;
        const Counter after = weft::philox4x32(counter, key);
        for (std::size_t w = 0; w < 4; ++w) flipped += std::popcount(before[w] ^ after[w]);
    }
    const double expected = 192 * 64.0, deviation = std::sqrt(192 * 32.0);
    REQUIRE(std::abs(flipped - expected) < 4 * deviation);
}
