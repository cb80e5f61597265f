// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/bfloat16.hpp>
#include <weft/core/half.hpp>
#include <weft/core/packet.hpp>

namespace weft::inline WEFT_ABI::detail {

/// A packet of T from as many elements of S.
template <class T, class S>
WEFT_ALWAYS_INLINE Packet<T> load_converted(const S* p) {
    if constexpr (std::is_same_v<S, T>) {
        return load_packet(p);
    } else {
#if defined(__AVX512F__)
        // with a mask of ones, since g++ 12 warns of an uninitialised register without
        const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
        if constexpr (std::is_same_v<S, half>)
            return Packet<T>(_mm512_maskz_cvtph_ps(0xffff, bits));
        else
            return Packet<T>(
                _mm512_castsi512_ps(_mm512_maskz_slli_epi32(0xffff, _mm512_maskz_cvtepu16_epi32(0xffff, bits), 16)));
#elif defined(__AVX2__) && defined(__F16C__)
        const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        if constexpr (std::is_same_v<S, half>)
            return Packet<T>(_mm256_cvtph_ps(bits));
        else
            return Packet<T>(_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16)));
#else
        T values[static_cast<std::size_t>(lanes<T>)];
        convert(p, values, lanes<T>);
        return load_packet(values);
#endif
    }
}

} // namespace weft::inline WEFT_ABI::detail
