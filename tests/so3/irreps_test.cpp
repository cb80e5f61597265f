// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/so3/irreps.hpp>

#include <sstream>

using weft::so3::Irrep, weft::so3::Irreps, weft::so3::MulIrrep;
using namespace weft::so3::literals;
using weft_test::error_of;

namespace {
std::string text(const Irreps& irreps) { return fmt::format("{}", irreps); }
} // namespace

TEST_CASE("irreps: text", "[so3]") {
    REQUIRE(text("32x0e+16x1o") == "32x0e+16x1o");
    REQUIRE(text("1e + 2o") == "1x1e+1x2o");
    REQUIRE(text(" 2 x 1 e ") == "2x1e");
    REQUIRE(text("\t1e\n+\t2o\n") == "1x1e+1x2o");
    REQUIRE(text("3x2y+1y") == "3x2e+1x1o");
    REQUIRE(text("0x2e") == "0x2e");
    REQUIRE(text("") == "");
    REQUIRE(text("  ") == "");
    REQUIRE(fmt::format("{} {}", Irrep{1, -1}, MulIrrep{3, {2, 1}}) == "1o 3x2e");
    std::ostringstream out;
    out << Irreps("1e+2o");
    REQUIRE(out.str() == "1x1e+1x2o");
    for (const char* wrong : {"1x", "-1x0e", "0", "1f", "2x1o+", "+1o", "x1o", "1o 2e", "1O", "1.5x0e", "1x0e,1o",
                              "99999999999x0e", "5000e"})
        REQUIRE_THAT(error_of([&] { Irreps{wrong}; }), ContainsSubstring("\"" + std::string(wrong) + "\""));
}

TEST_CASE("irreps: known at compile time", "[so3]") {
    constexpr auto irreps = "32x0e + 16x1o + 0x7e"_irreps;
    static_assert(irreps.dim() == 80 && irreps.num_irreps() == 48 && irreps.lmax() == 1 && irreps.terms.size() == 3);
    REQUIRE(Irreps(irreps) == Irreps("32x0e+16x1o+0x7e"));
    static_assert(""_irreps.terms.empty());
    static_assert(Irrep{0, -1} < Irrep{0, 1} && Irrep{0, 1} < Irrep{1, -1} && Irrep{1, -1} < Irrep{1, 1});
}

TEST_CASE("irreps: sizes and places", "[so3]") {
    const Irreps irreps("100x0e+50x1e+0x2e");
    REQUIRE(irreps.dim() == 250);
    REQUIRE(irreps.num_irreps() == 150);
    REQUIRE(irreps.lmax() == 1);
    REQUIRE(irreps.slices() == std::vector<weft::so3::IrrepSlice>{{0, 100}, {100, 250}, {250, 250}});
    REQUIRE(Irreps().lmax() == -1);
    REQUIRE(Irreps().dim() == 0);
    REQUIRE(Irreps("2x1o+1e+3x1o").count({1, -1}) == 5);
    REQUIRE_FALSE(Irreps("1e+2e+0x1o").contains({1, -1}));
}

TEST_CASE("irreps: rearranged", "[so3]") {
    REQUIRE(text(Irreps("1e+1e+0e+1e").simplify()) == "2x1e+1x0e+1x1e");
    REQUIRE(text(Irreps("1e+0e+1e+0x2e").regroup()) == "1x0e+2x1e");
    REQUIRE(text(2 * Irreps("0e+1e")) == "1x0e+1x1e+1x0e+1x1e");
    REQUIRE(text(Irreps("0e") + "1o") == "1x0e+1x1o");
    REQUIRE(text(Irreps::spherical_harmonics(4, 1)) == "1x0e+1x1e+1x2e+1x3e+1x4e");
    REQUIRE(text(Irreps::spherical_harmonics(3)) == "1x0e+1x1o+1x2e+1x3o");
    REQUIRE(Irreps("3x0e+7x0e") != Irreps("10x0e"));
    const auto sorted = Irreps("2o+1e+0e+1e").sort();
    REQUIRE(text(sorted.irreps) == "1x0e+1x1e+1x1e+1x2o");
    REQUIRE(sorted.p == std::vector<weft::index>{3, 1, 0, 2});
    REQUIRE(sorted.inv == std::vector<weft::index>{2, 1, 3, 0});
    const Irreps many("1e+3x0o+2x2e+5x1e");
    REQUIRE(text(many.filter("1e+0o")) == "1x1e+3x0o+5x1e");
    REQUIRE(text(many.without("1e")) == "3x0o+2x2e");
    REQUIRE(text(many.up_to(0)) == "3x0o");
    REQUIRE(text(many.filter([](const MulIrrep& t) { return t.mul > 2; })) == "3x0o+5x1e");
}

TEST_CASE("irreps: products", "[so3]") {
    std::vector<Irrep> terms;
    for (const Irrep ir : Irrep{1, -1} * Irrep{2, 1}) terms.push_back(ir);
    REQUIRE(terms == std::vector<Irrep>{{1, -1}, {2, -1}, {3, -1}});
    REQUIRE((Irrep{2, -1} * Irrep{2, -1}).contains({0, 1}));
    REQUIRE_FALSE((Irrep{2, -1} * Irrep{2, -1}).contains({0, -1}));
    REQUIRE_FALSE((Irrep{2, 1} * Irrep{1, 1}).contains({0, 1}));
    REQUIRE((Irrep{2, 1} * Irrep{1, 1}).contains({3, 1}));
    REQUIRE_FALSE((Irrep{2, 1} * Irrep{1, 1}).contains({4, 1}));
}
