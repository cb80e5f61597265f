// SPDX-License-Identifier: MIT
#include "so3/derivatives.hpp"
#include "so3/equivariance.hpp"

#include <weft/core/reduce.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/so3/reduced_tensor_products.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;

namespace {

/// The transpose of the rows of a term times them, which no choice of basis changes.
Tensor<double, 2> gram(const Tensor<double, 2>& basis, const so3::IrrepSlice& at) {
    const Tensor<double, 2> rows = slice(basis, 0, at.begin, at.end);
    return matmul(transpose(rows), rows);
}

template <int N>
Tensor<double, 2> as_rows(const Tensor<double, N>& tensors) {
    const weft::index rows = tensors.extent(0);
    return reshape(tensors, Extents<2>{rows, rows == 0 ? 0 : tensors.size() / rows});
}

void check(GoldenCase& g) {
    std::map<std::string, so3::Irreps> irreps;
    for (const auto& [key, value] : g.options().items())
        if (key.size() == 1) irreps[key] = g.option(key, std::string());
    so3::ReducedTensorProductsOptions options;
    if (const auto filter = g.option("filter_ir_out", std::vector<std::string>()); !filter.empty()) {
        so3::Irreps kept;
        for (const std::string& ir : filter) kept = kept + ir;
        options.filter_ir_out = kept;
    }
    const so3::ReducedTensorProducts products(g.option("formula", std::string()), irreps, options);
    const so3::Irreps out = products.irreps_out();
    REQUIRE(out == so3::Irreps(g.option("irreps_out", std::string())));
    auto terms = Tensor<std::int64_t, 2>::empty({out.size(), 3});
    std::int64_t* to = terms.mutable_data();
    for (const so3::MulIrrep& term : out) {
        *to++ = term.mul;
        *to++ = term.ir.l;
        *to++ = term.ir.p;
    }
    g.compare("irreps_out", terms);

    const auto reference = [&]() -> Tensor<double, 2> {
        switch (g.shape("change_of_basis").size()) {
        case 3:
            return as_rows(g.get<double, 3>("change_of_basis"));
        case 4:
            return as_rows(g.get<double, 4>("change_of_basis"));
        case 5:
            return as_rows(g.get<double, 5>("change_of_basis"));
        default:
            FAIL("the tensors must have 2 to 4 axes");
            return {};
        }
    }();
    REQUIRE(products.change_of_basis().shape() == reference.shape());
    const auto slices = out.slices();
    for (std::size_t k = 0; k < slices.size(); ++k) {
        const auto made = gram(products.change_of_basis(), slices[k]);
        const auto wanted = gram(reference, slices[k]);
        for (weft::index i = 0; i < made.size(); ++i) REQUIRE(std::abs(made.data()[i] - wanted.data()[i]) < 1e-10);
        if (const auto name = "gram" + std::to_string(k); g.has(name)) g.compare(name, made);
    }
}

} // namespace

TEST_CASE("so3::ReducedTensorProducts: as in e3nn", "[so3][golden]") {
    for_each_golden_case("equivariant-core", "reduced_tensor_products", [](GoldenCase& g) { check(g); });
}

TEST_CASE("so3::ReducedTensorProducts: equivariant, gradients", "[so3]") {
    const so3::Irreps in("0e+2x1o+2e");
    const so3::ReducedTensorProducts products("ijk=jik=ikj", {{"i", in}});
    require_equivariant(in, products.irreps_out(),
                        [&](const auto& x) { return std::remove_cvref_t<decltype(x)>(products(x, x, x)); });
    // As many as there are monomials of three of 12 variables.
    REQUIRE(products.irreps_out().dim() == 12 * 13 * 14 / 6);
    const so3::ReducedTensorProducts cross("ij=-ji", {{"i", "1o"}});
    weft::expect_grad([&](const auto& a, const auto& b) { return sum(square(cross(a, b))); },
                      numbers<double, 2>({4, 3}, 1), numbers<double, 2>({4, 3}, 2));
    REQUIRE(cross(numbers<double, 2>({0, 3}), numbers<double, 2>({0, 3})).shape() == Extents<2>{0, 3});
    // The cross product, up to its factor.
    const auto y = cross(Tensor<double, 2>::from({{1, 2, 3}}), Tensor<double, 2>::from({{-1, 0.5, 2}}));
    const double scale = y(0, 0) / 2.5;
    REQUIRE(std::abs(std::abs(scale) - std::sqrt(0.5)) < 1e-14);
    REQUIRE(std::abs(y(0, 1) + 5 * scale) < 1e-14);
    REQUIRE(std::abs(y(0, 2) - 2.5 * scale) < 1e-14);
}

TEST_CASE("so3::ReducedTensorProducts: filters, tensors that must be 0", "[so3]") {
    REQUIRE(so3::ReducedTensorProducts("ij=-ij", {{"i", "1o"}, {"j", "1o"}}).irreps_out().empty());
    REQUIRE(so3::ReducedTensorProducts("ijk=-jik=-ikj", {{"i", "1o"}}).irreps_out() == so3::Irreps("0o"));
    REQUIRE(so3::ReducedTensorProducts("ijk=jki", {{"j", "1o"}}).irreps_out() == so3::Irreps("0o+1o+3o"));
    const so3::ReducedTensorProducts some("ijk", {{"i", "1o"}, {"j", "1o"}, {"k", "0e+1o"}},
                                          {.filter_ir_out = "1o", .filter_ir_mid = "0e+1o+1e"});
    REQUIRE(some.irreps_out() == so3::Irreps("2x1o"));
}

TEST_CASE("so3::ReducedTensorProducts: errors", "[so3]") {
    const auto of = [](const char* formula, const std::map<std::string, so3::Irreps>& irreps) {
        return error_of([&] { so3::ReducedTensorProducts(formula, irreps); });
    };
    REQUIRE(
        of("ij=jk", {{"i", "1o"}}) ==
        "weft: ReducedTensorProducts: \"ij=jk\": each part must have the same letters, each once, as in \"ijk=-jik\"");
    REQUIRE_THAT(of("", {}), ContainsSubstring("must begin with the letters"));
    REQUIRE_THAT(of("-ij", {}), ContainsSubstring("must begin with the letters"));
    REQUIRE_THAT(of("ij=j", {}), ContainsSubstring("the same letters"));
    REQUIRE_THAT(of("ij=", {}), ContainsSubstring("the same letters"));
    REQUIRE_THAT(of("ij", {{"i", "1o"}, {"ij", "1o"}}), ContainsSubstring("has no axis ij"));
    REQUIRE_THAT(of("ii", {}), ContainsSubstring("each once"));
    REQUIRE_THAT(of("ij", {{"i", "1o"}}), ContainsSubstring("the irreps of axis j are not given"));
    REQUIRE_THAT(of("ij", {{"i", "1o"}, {"j", "1o"}, {"k", "1o"}}), ContainsSubstring("has no axis k"));
    REQUIRE_THAT(of("ij=ji", {{"i", "1o"}, {"j", "1e"}}), ContainsSubstring("must have the same irreps"));
    const so3::ReducedTensorProducts products("ij=ji", {{"i", "1o"}});
    REQUIRE_THAT(error_of([&] {
                     (void)products(numbers<double, 2>({2, 3}));
                 }),
                 ContainsSubstring("1 factors: must be 2"));
    REQUIRE_THAT(error_of([&] {
                     (void)products(numbers<double, 2>({2, 3}), numbers<double, 2>({3, 3}));
                 }),
                 ContainsSubstring("factor 2 is [3, 3]: must be [2, 3], features of 1x1o"));
}
