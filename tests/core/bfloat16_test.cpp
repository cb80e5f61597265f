// SPDX-License-Identifier: MIT
#include "storage_float_test.hpp"

#include <weft/core/bfloat16.hpp>
#include <weft/core/format_scalar.hpp>

using weft::bfloat16;

TEST_CASE("bfloat16: every bit pattern decodes to the number it denotes", "[core]") {
    weft_test::check_decode<bfloat16>(7, 127);
}

TEST_CASE("bfloat16: rounds floats to the nearest, ties to even", "[core]") {
    weft_test::check_encode<bfloat16>(7, 127);
}

TEST_CASE("bfloat16: rounds doubles once", "[core]") { weft_test::check_double<bfloat16>(7); }

TEST_CASE("bfloat16: bulk conversion has the bits of the scalar one", "[core]") { weft_test::check_bulk<bfloat16>(); }

TEST_CASE("bfloat16: known values", "[core]") {
    static_assert(bfloat16(1.0f).bits() == 0x3f80 && bfloat16(-2.0f).bits() == 0xc000 && bfloat16(0.0f).bits() == 0);
    static_assert(bfloat16(0x1.01p0f).bits() == 0x3f80 && bfloat16(0x1.03p0f).bits() == 0x3f82);
    static_assert(bfloat16(0x1.010002p0f).bits() == 0x3f81);
    static_assert(bfloat16(0x1.fefffep127f).bits() == 0x7f7f && bfloat16(0x1.ffp127f).bits() == 0x7f80);
    static_assert(bfloat16(0x1p-133f).bits() == 1 && bfloat16(0x1p-134f).bits() == 0);
    static_assert(bfloat16(1e300).bits() == 0x7f80 && bfloat16(-1e-300).bits() == 0x8000);
    static_assert(bfloat16(3) == 3.0f && bfloat16(257) == 256.0f && bfloat16(259LL) == 260.0f);
    REQUIRE(fmt::format("{} {:.1f}", bfloat16(1.5f), bfloat16(-2.25f)) == "1.5 -2.2");
}

TEST_CASE("bfloat16: numeric_limits", "[core]") {
    using L = std::numeric_limits<bfloat16>;
    static_assert(L::is_specialized && L::digits == 8 && L::digits10 == 2 && L::max_digits10 == 4);
    static_assert(L::min_exponent == -125 && L::max_exponent == 128);
    static_assert(L::min_exponent10 == -37 && L::max_exponent10 == 38);
    REQUIRE(L::max() == 0x1.fep127f);
    REQUIRE(L::lowest() == -0x1.fep127f);
    REQUIRE(L::min() == 0x1p-126f);
    REQUIRE(L::denorm_min() == 0x1p-133f);
    REQUIRE(L::epsilon() == 0x1p-7f);
    REQUIRE(L::infinity() == std::numeric_limits<float>::infinity());
    REQUIRE(std::isnan(L::quiet_NaN()));
    REQUIRE(std::isnan(L::signaling_NaN()));
}
