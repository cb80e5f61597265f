// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/index.hpp>

#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>

namespace weft::inline WEFT_ABI::detail {

/// What half and bfloat16 have in common: 16 stored bits that are read as a float and rounded from one. `Self` gives
/// `encode(float) -> bits`, to the nearest with ties to even, and `decode(bits) -> float`, which is exact.
template <class Self>
class StorageFloat {
public:
    StorageFloat() = default;
    explicit constexpr StorageFloat(float value) : bits_(Self::encode(value)) {}
    explicit constexpr StorageFloat(double value) : StorageFloat(round_to_odd(value)) {}
    explicit constexpr StorageFloat(std::integral auto value) : StorageFloat(static_cast<double>(value)) {}

    constexpr operator float() const { return Self::decode(bits_); }

    static constexpr Self from_bits(std::uint16_t bits) {
        Self result(0.0f);
        result.bits_ = bits;
        return result;
    }
    constexpr std::uint16_t bits() const { return bits_; }

private:
    // The next float towards zero, with the last bit set when that is not exact: rounding it again to fewer digits is
    // then the same as rounding the double at once.
    static constexpr float round_to_odd(double value) {
        using Limits = std::numeric_limits<float>; // its largest value already rounds to infinity
        if (value > static_cast<double>(Limits::max())) return Limits::infinity();
        if (value < static_cast<double>(Limits::lowest())) return -Limits::infinity();
        const auto nearest = static_cast<float>(value);
        if (static_cast<double>(nearest) == value || value != value) return nearest;
        const bool away = value < 0 ? static_cast<double>(nearest) < value : static_cast<double>(nearest) > value;
        return std::bit_cast<float>((std::bit_cast<std::uint32_t>(nearest) - (away ? 1u : 0u)) | 1u);
    }

    std::uint16_t bits_;
};

// Blocks of constant length, so that compilers vectorise them at -O2 too.
inline constexpr index conversion_block = 32;

template <class To, class From>
WEFT_NOINLINE void convert_by_blocks(const From* in, To* out, index n) {
    const index rest = n % conversion_block, whole = n - rest;
    for (index i = 0; i < whole; i += conversion_block)
        for (index k = 0; k < conversion_block; ++k) out[i + k] = To(in[i + k]);
    for (index k = 0; k < rest; ++k) out[whole + k] = To(in[whole + k]);
}

/// numeric_limits of a StorageFloat with `Digits` digits (the hidden one counts) and the exponents of `Exponents`.
template <class Self, int Digits, int MinExponent, int MaxExponent>
struct StorageFloatLimits {
    static constexpr bool is_specialized = true, is_signed = true, is_integer = false, is_exact = false;
    static constexpr bool has_infinity = true, has_quiet_NaN = true, has_signaling_NaN = true;
    static constexpr bool is_iec559 = true, is_bounded = true, is_modulo = false, traps = false;
    static constexpr bool tinyness_before = false, has_denorm_loss = false;
    static constexpr std::float_denorm_style has_denorm = std::denorm_present;
    static constexpr std::float_round_style round_style = std::round_to_nearest;
    static constexpr int radix = 2, digits = Digits;
    static constexpr int digits10 = (Digits - 1) * 30103 / 100000;
    static constexpr int max_digits10 = 2 + Digits * 30103 / 100000;
    static constexpr int min_exponent = MinExponent, max_exponent = MaxExponent;
    static constexpr int min_exponent10 = (MinExponent - 1) * 30103 / 100000,
                         max_exponent10 = MaxExponent * 30103 / 100000;

    static constexpr Self min() noexcept { return bits(1u << (Digits - 1)); }
    static constexpr Self max() noexcept { return bits(exponent_mask - 1); }
    static constexpr Self lowest() noexcept { return bits(0x8000u | (exponent_mask - 1)); }
    static constexpr Self denorm_min() noexcept { return bits(1); }
    static constexpr Self epsilon() noexcept { return Self(1.0f / static_cast<float>(1u << (Digits - 1))); }
    static constexpr Self round_error() noexcept { return Self(0.5f); }
    static constexpr Self infinity() noexcept { return bits(exponent_mask); }
    static constexpr Self quiet_NaN() noexcept { return bits(exponent_mask | 1u << (Digits - 2)); }
    static constexpr Self signaling_NaN() noexcept { return bits(exponent_mask | 1u << (Digits - 3)); }

private:
    static constexpr unsigned exponent_mask = 0x7fffu & ~((1u << (Digits - 1)) - 1u);
    static constexpr Self bits(unsigned b) { return Self::from_bits(static_cast<std::uint16_t>(b)); }
};

} // namespace weft::inline WEFT_ABI::detail
