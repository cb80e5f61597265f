// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/storage_float.hpp>

#include <type_traits>

#ifdef __F16C__
#include <immintrin.h>
#endif

namespace weft::inline WEFT_ABI {

/// IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits. For storage: arithmetic happens in float. Conversions
/// round to the nearest with ties to even, keep subnormals and infinities, and make every NaN quiet, keeping the
/// leading bits of its payload.
class half : public detail::StorageFloat<half> {
public:
    using detail::StorageFloat<half>::StorageFloat;

private:
    friend detail::StorageFloat<half>;

    static constexpr std::uint16_t encode(float value) {
#ifdef __F16C__
        if (!std::is_constant_evaluated())
            return static_cast<std::uint16_t>(
                _mm_extract_epi16(_mm_cvtps_ph(_mm_set_ss(value), _MM_FROUND_TO_NEAREST_INT), 0));
#endif
        constexpr std::uint32_t infinity = 0xffu << 23, overflow = (127u + 16) << 23, smallest_normal = 113u << 23;
        // Adding this float moves the fraction bits of a subnormal half to the bottom of the word, and rounds them.
        constexpr std::uint32_t denormal_magic = (127u - 15 + 23 - 10 + 1) << 23;
        const std::uint32_t word = std::bit_cast<std::uint32_t>(value), sign = word & 0x80000000u, size = word ^ sign;
        const std::uint32_t normal = (size - (112u << 23) + 0xfffu + (size >> 13 & 1u)) >> 13;
        const std::uint32_t subnormal =
            std::bit_cast<std::uint32_t>(std::bit_cast<float>(size) + std::bit_cast<float>(denormal_magic)) -
            denormal_magic;
        const std::uint32_t nan = 0x7e00u | (size >> 13 & 0x3ffu);
        std::uint32_t result = size < smallest_normal ? subnormal : normal;
        result = size >= overflow ? 0x7c00u : result;
        result = size > infinity ? nan : result;
        return static_cast<std::uint16_t>(result | sign >> 16);
    }

    static constexpr float decode(std::uint16_t bits) {
#ifdef __F16C__
        if (!std::is_constant_evaluated()) return _cvtsh_ss(bits);
#endif
        const std::uint32_t size = (bits & 0x7fffu) << 13, sign = (bits & 0x8000u) << 16;
        const std::uint32_t normal = size + (112u << 23);
        const std::uint32_t special = (size + (224u << 23)) | (size > 0x7c00u << 13 ? 0x400000u : 0u);
        // As a float with exponent 2^-14, less the leading one that subnormal numbers lack.
        const std::uint32_t subnormal =
            std::bit_cast<std::uint32_t>(std::bit_cast<float>(size + (113u << 23)) - std::bit_cast<float>(113u << 23));
        std::uint32_t result = size < 0x400u << 13 ? subnormal : normal;
        result = size >= 0x7c00u << 13 ? special : result;
        return std::bit_cast<float>(result | sign);
    }
};
static_assert(sizeof(half) == 2 && std::is_trivially_copyable_v<half>);

/// out[i] = float(in[i]) for i in [0, n).
inline void convert(const half* in, float* out, index n) {
#ifdef __F16C__
    index i = 0;
#ifdef __AVX512F__ // with a mask of ones, since g++ 12 warns of an uninitialised register without
    for (; i + 16 <= n; i += 16)
        _mm512_storeu_ps(out + i,
                         _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i))));
#endif
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i))));
    for (; i < n; ++i) out[i] = float(in[i]);
#else
    detail::convert_by_blocks(in, out, n);
#endif
}

/// out[i] = half(in[i]) for i in [0, n).
inline void convert(const float* in, half* out, index n) {
#ifdef __F16C__
    index i = 0;
#ifdef __AVX512F__
    for (; i + 16 <= n; i += 16)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                            _mm512_maskz_cvtps_ph(0xffff, _mm512_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT));
#endif
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < n; ++i) out[i] = half(in[i]);
#else
    detail::convert_by_blocks(in, out, n);
#endif
}

} // namespace weft::inline WEFT_ABI

template <>
struct std::numeric_limits<weft::half> : weft::detail::StorageFloatLimits<weft::half, 11, -13, 16> {};
