// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/storage_float.hpp>

#include <type_traits>

namespace weft::inline WEFT_ABI {

/// bfloat16: the upper half of a float (1 sign, 8 exponent, 7 fraction bits). For storage: arithmetic happens in
/// float. Rounding is to the nearest with ties to even; subnormals and infinities are kept; every NaN becomes quiet,
/// keeping the leading bits of its payload.
class bfloat16 : public detail::StorageFloat<bfloat16> {
public:
    using detail::StorageFloat<bfloat16>::StorageFloat;

private:
    friend detail::StorageFloat<bfloat16>;

    static constexpr std::uint16_t encode(float value) {
        const std::uint32_t word = std::bit_cast<std::uint32_t>(value);
        const std::uint32_t rounded = word + 0x7fffu + (word >> 16 & 1u);
        const std::uint32_t nan = word | 0x400000u;
        return static_cast<std::uint16_t>(((word & 0x7fffffffu) > 0x7f800000u ? nan : rounded) >> 16);
    }

    static constexpr float decode(std::uint16_t bits) {
        const std::uint32_t word = std::uint32_t{bits} << 16;
        return std::bit_cast<float>(word | ((word & 0x7fffffffu) > 0x7f800000u ? 0x400000u : 0u));
    }
};
static_assert(sizeof(bfloat16) == 2 && std::is_trivially_copyable_v<bfloat16>);

/// out[i] = float(in[i]) for i in [0, n).
inline void convert(const bfloat16* in, float* out, index n) { detail::convert_by_blocks(in, out, n); }

/// out[i] = bfloat16(in[i]) for i in [0, n).
inline void convert(const float* in, bfloat16* out, index n) { detail::convert_by_blocks(in, out, n); }

} // namespace weft::inline WEFT_ABI

template <>
struct std::numeric_limits<weft::bfloat16> : weft::detail::StorageFloatLimits<weft::bfloat16, 8, -125, 128> {};
