// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/bfloat16.hpp>
#include <weft/core/error.hpp>
#include <weft/core/half.hpp>

#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weft::inline WEFT_ABI::io {

/// The element types of files, in order of increasing size.
enum class DType : std::uint8_t { boolean, u8, i8, u16, i16, f16, bf16, u32, i32, f32, u64, i64, f64, c64, c128 };

namespace detail {

template <class T>
struct IsComplex : std::false_type {};
template <class T>
struct IsComplex<std::complex<T>> : std::true_type {};

template <class T>
inline constexpr bool is_integer =
    std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
    !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;
template <class T>
inline constexpr bool is_float =
    std::same_as<T, half> || std::same_as<T, bfloat16> || std::same_as<T, float> || std::same_as<T, double>;

} // namespace detail

/// A C++ type that elements of files can have.
template <class T>
concept FileElement = std::same_as<T, bool> || detail::is_integer<T> || detail::is_float<T> ||
    std::same_as<T, std::complex<float>> || std::same_as<T, std::complex<double>>;

/// The DType of a C++ type.
template <FileElement T>
constexpr DType dtype_of() {
    if constexpr (std::same_as<T, bool>)
        return DType::boolean;
    else if constexpr (std::same_as<T, half>)
        return DType::f16;
    else if constexpr (std::same_as<T, bfloat16>)
        return DType::bf16;
    else if constexpr (std::same_as<T, float>)
        return DType::f32;
    else if constexpr (std::same_as<T, double>)
        return DType::f64;
    else if constexpr (std::same_as<T, std::complex<float>>)
        return DType::c64;
    else if constexpr (std::same_as<T, std::complex<double>>)
        return DType::c128;
    else if constexpr (sizeof(T) == 1)
        return std::is_signed_v<T> ? DType::i8 : DType::u8;
    else if constexpr (sizeof(T) == 2)
        return std::is_signed_v<T> ? DType::i16 : DType::u16;
    else if constexpr (sizeof(T) == 4)
        return std::is_signed_v<T> ? DType::i32 : DType::u32;
    else
        return std::is_signed_v<T> ? DType::i64 : DType::u64;
}

/// Calls `f.template operator()<T>()` with the C++ type T of `dtype`.
template <class F>
constexpr decltype(auto) visit_dtype(DType dtype, F&& f) {
    switch (dtype) {
    case DType::boolean:
        return f.template operator()<bool>();
    case DType::u8:
        return f.template operator()<std::uint8_t>();
    case DType::i8:
        return f.template operator()<std::int8_t>();
    case DType::u16:
        return f.template operator()<std::uint16_t>();
    case DType::i16:
        return f.template operator()<std::int16_t>();
    case DType::f16:
        return f.template operator()<half>();
    case DType::bf16:
        return f.template operator()<bfloat16>();
    case DType::u32:
        return f.template operator()<std::uint32_t>();
    case DType::i32:
        return f.template operator()<std::int32_t>();
    case DType::f32:
        return f.template operator()<float>();
    case DType::u64:
        return f.template operator()<std::uint64_t>();
    case DType::i64:
        return f.template operator()<std::int64_t>();
    case DType::f64:
        return f.template operator()<double>();
    case DType::c64:
        return f.template operator()<std::complex<float>>();
    case DType::c128:
        break;
    }
    return f.template operator()<std::complex<double>>();
}

/// Bytes of an element.
constexpr std::size_t item_size(DType dtype) {
    return visit_dtype(dtype, []<class T>() { return sizeof(T); });
}

/// The name of a type in safetensors files and in messages: F32, BF16, I64, BOOL, ...
constexpr std::string_view name(DType dtype) {
    constexpr std::string_view names[] = {"BOOL", "U8",  "I8",  "U16", "I16", "F16", "BF16", "U32",
                                          "I32",  "F32", "U64", "I64", "F64", "C64", "C128"};
    return names[static_cast<std::size_t>(dtype)];
}

/// What happens to elements of another type than the one asked for.
enum class Conversion {
    /// Only conversions that keep every value of the source type exactly; any other is an error.
    lossless,
    /// Floating-point numbers are rounded to the nearest. A value that an integer type or bool cannot hold exactly is
    /// an
    /// error, and so is a complex number where a real one is asked for.
    rounding,
};

namespace detail {

/// Whether `To` holds every value of `From`.
template <class From, class To>
constexpr bool is_lossless() {
    if constexpr (std::same_as<From, To>) {
        return true;
    } else if constexpr (IsComplex<To>::value) {
        if constexpr (IsComplex<From>::value)
            return is_lossless<typename From::value_type, typename To::value_type>();
        else
            return is_lossless<From, typename To::value_type>();
    } else if constexpr (IsComplex<From>::value || std::same_as<To, bool>) {
        return false;
    } else {
        using F = std::numeric_limits<From>;
        using T = std::numeric_limits<To>;
        if (F::digits > T::digits) return false;
        if constexpr (is_float<From>)
            return is_float<To> && F::max_exponent <= T::max_exponent && F::min_exponent >= T::min_exponent;
        else
            return is_float<To> || !F::is_signed || T::is_signed;
    }
}

/// `x` as a To in `result`; false when an integer type or bool cannot hold it. Not for complex to real.
template <class To, class From>
constexpr bool convert_element(const From& x, To& result) {
    if constexpr (IsComplex<To>::value) {
        using P = typename To::value_type;
        if constexpr (IsComplex<From>::value)
            result = To(static_cast<P>(x.real()), static_cast<P>(x.imag()));
        else
            result = To(static_cast<P>(x));
        return true;
    } else if constexpr (is_float<To>) {
        if constexpr (is_float<From>)
            result = static_cast<To>(static_cast<double>(x));
        else
            result = static_cast<To>(x);
        return true;
    } else if constexpr (std::same_as<To, bool>) {
        result = x != From(0);
        return x == From(0) || x == From(1);
    } else if constexpr (is_float<From>) {
        const auto value = static_cast<double>(x);
        constexpr double bound = 2.0 * static_cast<double>(To(1) << (std::numeric_limits<To>::digits - 1));
        if (!(value >= (std::is_signed_v<To> ? -bound : 0.0) && value < bound)) return false;
        result = static_cast<To>(value);
        return static_cast<double>(result) == value;
    } else {
        result = static_cast<To>(x);
        if constexpr (std::same_as<From, bool>)
            return true;
        else
            return std::in_range<To>(x);
    }
}

} // namespace detail

} // namespace weft::inline WEFT_ABI::io
