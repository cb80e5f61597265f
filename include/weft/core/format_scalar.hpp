// SPDX-License-Identifier: MIT
#pragma once

/// fmt formatters of weft's scalar types, and of std::complex where fmt has none. All take the format of the plain
/// number, for each part: `{:.3f}`.

#include <weft/core/bfloat16.hpp>
#include <weft/core/dual.hpp>
#include <weft/core/half.hpp>

#include <fmt/format.h>
#if FMT_VERSION >= 110000
#include <fmt/std.h>
#endif

#include <cmath>
#include <complex>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

namespace weft::inline WEFT_ABI::detail {

// Keeps the format of the plain numbers as text. (Deriving from fmt's own formatter makes g++ 12 warn of an overflow
// inside fmt 9 at -O3.)
class NumberFormatter {
public:
    constexpr auto parse(fmt::format_parse_context& context) {
        auto end = context.begin();
        while (end != context.end() && *end != '}') {
            if (*end == '{') throw fmt::format_error("a width or precision from the arguments is not supported");
            ++end;
        }
        text_ = std::string_view(context.begin(), static_cast<std::size_t>(end - context.begin()));
        return end;
    }

protected:
    template <class T>
    std::string number(T x) const {
        return fmt::vformat("{:" + std::string(text_) + "}", fmt::make_format_args(x));
    }

    // `a+b` or `a-b`: the sign of the second number always written.
    template <class T>
    std::string sum(T a, T b) const {
        return number(a) + (std::signbit(b) ? "" : "+") + number(b);
    }

private:
    std::string_view text_;
};

} // namespace weft::inline WEFT_ABI::detail

template <>
struct fmt::formatter<weft::half> : weft::detail::NumberFormatter {
    template <class Context>
    auto format(weft::half x, Context& context) const {
        return fmt::format_to(context.out(), "{}", number(float(x)));
    }
};

template <>
struct fmt::formatter<weft::bfloat16> : weft::detail::NumberFormatter {
    template <class Context>
    auto format(weft::bfloat16 x, Context& context) const {
        return fmt::format_to(context.out(), "{}", number(float(x)));
    }
};

template <std::floating_point T>
struct fmt::formatter<weft::Dual<T>> : weft::detail::NumberFormatter {
    template <class Context>
    auto format(const weft::Dual<T>& x, Context& context) const {
        return fmt::format_to(context.out(), "{} ε", sum(x.value, x.tangent));
    }
};

#if FMT_VERSION < 110000
template <std::floating_point T>
struct fmt::formatter<std::complex<T>> : weft::detail::NumberFormatter {
    template <class Context>
    auto format(const std::complex<T>& x, Context& context) const {
        return fmt::format_to(context.out(), "({}i)", sum(x.real(), x.imag()));
    }
};
#endif
