// SPDX-License-Identifier: MIT
#pragma once

/// WEFT_ABI names the inline namespace of everything in weft. It spells the version and every flag that changes
/// generated code, so translation units compiled with different flags never merge each other's inline functions.

#include <weft/version.hpp>

#include <xsimd/config/xsimd_config.hpp>

#if !defined(__cpp_exceptions) && !defined(__EXCEPTIONS)
#error "weft reports errors by exceptions: compile the files that include it without -fno-exceptions"
#endif
#if !defined(__cplusplus) || __cplusplus < 202002L
#error "weft needs C++20: compile with -std=c++20 or newer"
#endif

#ifdef __SSE4_1__
#define WEFT_DETAIL_SSE41 1
#else
#define WEFT_DETAIL_SSE41 0
#endif
#ifdef __AVX__
#define WEFT_DETAIL_AVX 1
#else
#define WEFT_DETAIL_AVX 0
#endif
#ifdef __AVX2__
#define WEFT_DETAIL_AVX2 1
#else
#define WEFT_DETAIL_AVX2 0
#endif
#ifdef __FMA__
#define WEFT_DETAIL_FMA 1
#else
#define WEFT_DETAIL_FMA 0
#endif
#ifdef __F16C__
#define WEFT_DETAIL_F16C 1
#else
#define WEFT_DETAIL_F16C 0
#endif
#ifdef __AVX512F__
#define WEFT_DETAIL_AVX512F 1
#else
#define WEFT_DETAIL_AVX512F 0
#endif
#ifdef __AVX512BW__
#define WEFT_DETAIL_AVX512BW 1
#else
#define WEFT_DETAIL_AVX512BW 0
#endif
#ifdef __AVX512DQ__
#define WEFT_DETAIL_AVX512DQ 1
#else
#define WEFT_DETAIL_AVX512DQ 0
#endif
#ifdef __AVX512VL__
#define WEFT_DETAIL_AVX512VL 1
#else
#define WEFT_DETAIL_AVX512VL 0
#endif
#ifdef _OPENMP
#define WEFT_DETAIL_OPENMP 1
#else
#define WEFT_DETAIL_OPENMP 0
#endif

// v<major>_<minor>_isa<SSE4.1 AVX AVX2 FMA F16C>_<AVX-512 F BW DQ VL>_omp<0|1>_xsimd<major>
#define WEFT_DETAIL_PASTE(major, minor, a, b, c, d, e, f, g, h, i, omp, xs)                                            \
    v##major##_##minor##_isa##a##b##c##d##e##_##f##g##h##i##_omp##omp##_xsimd##xs
#define WEFT_DETAIL_NAME(...) WEFT_DETAIL_PASTE(__VA_ARGS__)
#define WEFT_ABI                                                                                                       \
    WEFT_DETAIL_NAME(WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR, WEFT_DETAIL_SSE41, WEFT_DETAIL_AVX, WEFT_DETAIL_AVX2,     \
                     WEFT_DETAIL_FMA, WEFT_DETAIL_F16C, WEFT_DETAIL_AVX512F, WEFT_DETAIL_AVX512BW,                     \
                     WEFT_DETAIL_AVX512DQ, WEFT_DETAIL_AVX512VL, WEFT_DETAIL_OPENMP, XSIMD_VERSION_MAJOR)

#if defined(__GNUC__) || defined(__clang__)
#define WEFT_ALWAYS_INLINE inline __attribute__((always_inline))
#define WEFT_NOINLINE __attribute__((noinline))
#else
#define WEFT_ALWAYS_INLINE __forceinline
#define WEFT_NOINLINE __declspec(noinline)
#endif
