// SPDX-License-Identifier: MIT
#include "storage_float_test.hpp"

#include <weft/core/format_scalar.hpp>
#include <weft/core/half.hpp>

using weft::half;

TEST_CASE("half: every bit pattern decodes to the number it denotes", "[core]") {
    weft_test::check_decode<half>(10, 15);
}

TEST_CASE("half: rounds floats to the nearest, ties to even", "[core]") { weft_test::check_encode<half>(10, 15); }

TEST_CASE("half: rounds doubles once", "[core]") { weft_test::check_double<half>(10); }

TEST_CASE("half: bulk conversion has the bits of the scalar one", "[core]") { weft_test::check_bulk<half>(); }

TEST_CASE("half: known values", "[core]") {
    static_assert(half(1.0f).bits() == 0x3c00 && half(-2.0f).bits() == 0xc000 && half(0.0f).bits() == 0);
    static_assert(half(65504.0f).bits() == 0x7bff && half(65519.0f).bits() == 0x7bff &&
                  half(65520.0f).bits() == 0x7c00);
    static_assert(half(0x1p-24f).bits() == 1 && half(0x1p-25f).bits() == 0 && half(0x1.8p-25f).bits() == 1);
    static_assert(half(1e300).bits() == 0x7c00 && half(-1e-300).bits() == 0x8000);
    static_assert(float(half::from_bits(0x3555)) == 0x1.554p-2f);
    static_assert(half(3) == 3.0f && half(2049) == 2048.0f && half(2051LL) == 2052.0f);
    // The same at run time, where conversion may be an instruction.
    for (const float x : {1.0f, -2.0f, 65519.0f, 65520.0f, 0x1p-24f, 0x1p-25f, 0x1.8p-25f, -0.0f}) {
        volatile float hidden = x;
        float back = 0;
        half stored;
        const float value = hidden;
        weft::convert(&value, &stored, 1);
        weft::convert(&stored, &back, 1);
        REQUIRE(stored.bits() == half(value).bits());
        REQUIRE(back == float(stored));
    }
    REQUIRE(fmt::format("{} {:.1f}", half(1.5f), half(-2.25f)) == "1.5 -2.2");
}

TEST_CASE("half: numeric_limits", "[core]") {
    using L = std::numeric_limits<half>;
    static_assert(L::is_specialized && L::digits == 11 && L::digits10 == 3 && L::max_digits10 == 5);
    static_assert(L::min_exponent == -13 && L::max_exponent == 16 && L::min_exponent10 == -4 && L::max_exponent10 == 4);
    REQUIRE(L::max() == 65504.0f);
    REQUIRE(L::lowest() == -65504.0f);
    REQUIRE(L::min() == 0x1p-14f);
    REQUIRE(L::denorm_min() == 0x1p-24f);
    REQUIRE(L::epsilon() == 0x1p-10f);
    REQUIRE(L::infinity() == std::numeric_limits<float>::infinity());
    REQUIRE(std::isnan(L::quiet_NaN()));
    REQUIRE(std::isnan(L::signaling_NaN()));
}
