// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "so3/derivatives.hpp"

#include <weft/core/format.hpp>
#include <weft/core/views.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/so3/named_products.hpp>
#include <weft/so3/weighted_tensor_product.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::Instruction, so3::Irreps, so3::ProductMode, so3::TensorProduct;

namespace {

so3::PathNormalization path_normalization(const std::string& name) {
    if (name == "element") return so3::PathNormalization::element;
    if (name == "path") return so3::PathNormalization::path;
    REQUIRE(name == "none");
    return so3::PathNormalization::none;
}

/// The product that the options of a case describe.
TensorProduct product_of(const GoldenCase& g) {
    const auto numbers_of = [&](const char* key) { return g.option(key, std::vector<double>()); };
    std::vector<Instruction> instructions;
    for (const auto& i : g.option("instructions", nlohmann::json()))
        instructions.push_back({i.at(0), i.at(1), i.at(2), so3::product_mode(i.at(3).get<std::string>()), i.at(4),
                                i.size() > 5 ? i.at(5).get<double>() : 1.0});
    return TensorProduct(Irreps(g.option("irreps_in1", std::string())), Irreps(g.option("irreps_in2", std::string())),
                         Irreps(g.option("irreps_out", std::string())), instructions,
                         {.irrep_normalization = irrep_normalization(g.option("irrep_normalization", std::string())),
                          .path_normalization = path_normalization(g.option("path_normalization", std::string())),
                          .in1_var = numbers_of("in1_var"),
                          .in2_var = numbers_of("in2_var"),
                          .out_var = numbers_of("out_var")});
}

void check_instructions(GoldenCase& g, const TensorProduct& product) {
    auto instructions = Tensor<std::int64_t, 2>::empty({static_cast<weft::index>(product.instructions().size()), 5});
    std::int64_t* to = instructions.mutable_data();
    for (const Instruction& i : product.instructions())
        for (const std::int64_t x : {i.in1, i.in2, i.out, static_cast<weft::index>(i.mode), weft::index{i.has_weight}})
            *to++ = x;
    g.compare("instructions", instructions);
    g.compare("path_coeff", Tensor<double, 1>::from(std::span<const double>(product.path_coefficients()),
                                                    {static_cast<weft::index>(product.path_coefficients().size())}));
}

void check(GoldenCase& g, const TensorProduct& product) {
    REQUIRE(product.irreps_in1() == irreps_of(g, "irreps_in1"));
    REQUIRE(product.irreps_in2() == irreps_of(g, "irreps_in2"));
    REQUIRE(product.irreps_out() == irreps_of(g, "irreps_out"));
    check_instructions(g, product);
    REQUIRE(g.number<std::int64_t>("weight_numel") == product.weight_numel());
    g.compare("output_mask", product.output_mask());

    const auto f = [&](const auto&... operands) { return product(operands...); };
    const Input<2> x1{"x1"}, x2{"x2"};
    if (product.weight_numel() == 0)
        check_derivatives(g, f, x1, x2);
    else if (g.shape("w").size() == 1)
        check_derivatives(g, f, x1, x2, Input<1>{"w"});
    else
        check_derivatives(g, f, x1, x2, Input<2>{"w"});
}

} // namespace

TEST_CASE("TensorProduct: as in e3nn", "[so3][golden]") {
    for (const char* file : {"tp_modes", "tp_uvw", "tp_uvu_conv"})
        for_each_golden_case("equivariant-core", file, [](GoldenCase& g) {
            (void)g.option("shared_weights", true);
            (void)g.option("desc", std::string());
            check(g, product_of(g));
        });
}

TEST_CASE("TensorProduct: fully connected, full and elementwise, as in e3nn", "[so3][golden]") {
    for_each_golden_case("equivariant-core", "tp_named", [](GoldenCase& g) {
        (void)g.option("desc", std::string());
        const auto irreps = g.option("irreps", std::vector<std::string>());
        std::optional<Irreps> filter;
        for (const std::string& ir : g.option("filter", std::vector<std::string>()))
            filter = filter.value_or(Irreps()) + Irreps(ir);
        so3::TensorProductOptions options{
            .irrep_normalization = irrep_normalization(g.option("irrep_normalization", std::string("component"))),
            .path_normalization = path_normalization(g.option("path_normalization", std::string("element")))};
        const auto name = g.option("cls", std::string());
        if (name == "FullyConnectedTensorProduct") {
            // The options of these are in the names of the cases only.
            if (g.name().find("_norm") != std::string::npos)
                options.irrep_normalization = so3::IrrepNormalization::norm;
            if (g.name().find("_path") != std::string::npos) options.path_normalization = so3::PathNormalization::path;
            check(g, so3::FullyConnectedTensorProduct(irreps.at(0), irreps.at(1), irreps.at(2), options));
        } else if (name == "FullTensorProduct") {
            check(g, so3::FullTensorProduct(irreps.at(0), irreps.at(1), filter, options));
        } else {
            REQUIRE(name == "ElementwiseTensorProduct");
            check(g, so3::ElementwiseTensorProduct(irreps.at(0), irreps.at(1), filter, options));
        }
    });
}

TEST_CASE("TensorSquare: as in e3nn", "[so3][golden]") {
    for_each_golden_case("equivariant-core", "tensor_square", [](GoldenCase& g) {
        const so3::TensorProductOptions options{
            .irrep_normalization = irrep_normalization(g.option("irrep_normalization", std::string("component")))};
        const Irreps in(g.option("irreps_in", std::string()));
        const auto out = g.option("irreps_out", std::string());
        const so3::TensorSquare square =
            out.empty() ? so3::TensorSquare(in, std::nullopt, options) : so3::TensorSquare(in, Irreps(out), options);
        REQUIRE(square.irreps_in() == irreps_of(g, "irreps_in"));
        REQUIRE(square.irreps_out() == irreps_of(g, "irreps_out"));
        check_instructions(g, square.product);
        if (square.weight_numel() == 0)
            check_derivatives(g, square, Input<2>{"x"});
        else
            check_derivatives(g, square, Input<2>{"x"}, Input<1>{"w"});
    });
}

TEST_CASE("TensorProduct: the paths of convolutions", "[so3]") {
    const so3::ConvolutionTensorProduct paths("3x0e+2x1o", "0e+1o", Irreps("0e+1o"));
    REQUIRE(fmt::format("{}", paths.irreps_out()) == "3x0e+2x0e+3x1o+2x1o");
    std::vector<weft::index> outs;
    for (const Instruction& i : paths.instructions()) outs.push_back(i.out);
    REQUIRE(outs == std::vector<weft::index>{0, 2, 3, 1});
    const so3::ConvolutionTensorProduct sorted("3x0e+2x1o", "0e+1o", Irreps("0e+1o"), so3::ConvolutionOrder::by_output);
    for (std::size_t i = 0; i < 4; ++i) REQUIRE(sorted.instructions()[i].out == static_cast<weft::index>(i));
    REQUIRE_THAT(error_of([] { so3::ElementwiseTensorProduct("2x0e", "3x1o"); }), ContainsSubstring("2x0e has 2"));
}

TEST_CASE("TensorProduct::right: the matrix that takes x1 to the product, in every mode", "[so3]") {
    const auto check = [](const TensorProduct& product, const auto&... w) {
        const auto x1 = numbers<double, 2>({21, product.irreps_in1().dim()}),
                   x2 = numbers<double, 2>({21, product.irreps_in2().dim()}, 2);
        const weft::index dim1 = x1.extent(1), dim3 = product.irreps_out().dim();
        const auto gy = numbers<double, 2>({21, dim3}, 4);
        const Var<double, 2> a2{x2}, b2{x2};
        const auto times = [&](const auto& matrix) {
            return reshape(matmul(unsqueeze(x1, 1), matrix), Extents<2>{21, dim3});
        };
        const auto same = [](const auto& a, const auto& b) {
            REQUIRE(a.shape() == b.shape());
            for (weft::index i = 0; i < a.size(); ++i)
                REQUIRE(std::abs(a.data()[i] - b.data()[i]) < 1e-12 * (1 + std::abs(b.data()[i])));
        };
        if constexpr (sizeof...(w) == 0) {
            const auto matrix = product.right(a2);
            REQUIRE(matrix.shape() == Extents<3>{21, dim1, dim3});
            const auto a = times(matrix), b = product(x1, b2);
            same(a.value(), b.value());
            weft::backward(a, gy);
            weft::backward(b, gy);
        } else {
            const auto with_weights = [&](const auto& weights) {
                using W = std::remove_cvref_t<decltype(weights)>;
                const Var<double, W::rank> aw{weights}, bw{weights};
                const auto matrix = product.right(a2, aw);
                REQUIRE(matrix.shape() == Extents<3>{21, dim1, dim3});
                const auto a = times(matrix), b = product(x1, b2, bw);
                same(a.value(), b.value());
                weft::backward(a, gy);
                weft::backward(b, gy);
                same(aw.grad(), bw.grad());
            };
            (with_weights(w), ...);
        }
        same(a2.grad(), b2.grad());
    };
    struct Case {
        const char *in1, *in2, *out;
        ProductMode mode;
    };
    const Case cases[] = {
        {"3x1o", "2x1o", "4x2e", ProductMode::uvw},   {"3x1o", "2x2e", "3x1o", ProductMode::uvu},
        {"3x1o", "2x1o", "2x1e", ProductMode::uvv},   {"3x2e", "3x1o", "2x3o", ProductMode::uuw},
        {"3x1o", "3x1o", "3x0e", ProductMode::uuu},   {"3x0o", "2x1o", "6x1e", ProductMode::uvuv},
        {"3x1o", "3x1o", "3x1e", ProductMode::upper}, {"4x1o", "4x1o", "2x2e", ProductMode::upper_mixed}};
    for (const Case& c : cases)
        for (const bool weighted : {true, false}) {
            const bool mixes = c.mode == ProductMode::uvw || c.mode == ProductMode::upper_mixed;
            if (!weighted && mixes) continue; // they have weights
            INFO(so3::detail::mode_name(c.mode) << (weighted ? "" : " without weights"));
            const bool sums = !weighted && c.mode == ProductMode::uuw;
            // Terms before and behind, and the term of the result reached twice.
            const TensorProduct product(
                Irreps("2x0e") + c.in1, Irreps(c.in2) + "0e", Irreps("2x0e") + (sums ? "1x3o" : c.out) + "1x4e",
                {{1, 0, 1, c.mode, weighted}, {0, 1, 0, ProductMode::uvu, weighted}, {1, 0, 1, c.mode, weighted, 0.5}});
            if (weighted)
                check(product, numbers<double, 1>({product.weight_numel()}, 3),
                      numbers<double, 2>({21, product.weight_numel()}, 3));
            else
                check(product);
        }
    check(so3::FullTensorProduct("2x0e+1o", "1o+0x2e"));
}

TEST_CASE("TensorProduct::right: second order, threads, no rows, errors", "[so3]") {
    const TensorProduct product(
        "2x0e+2x1o", "1o+0e", "3x1o+2x0e",
        {{0, 0, 0}, {1, 1, 0}, {1, 0, 1, ProductMode::uvu}, {0, 1, 1, ProductMode::uvu, false}});
    const auto x2 = numbers<double, 2>({3, 4});
    weft::expect_grad<2>([&](const auto& x, const auto& w) { return product.right(x, w); }, x2,
                         numbers<double, 1>({product.weight_numel()}, 2));
    weft::expect_grad<2>([&](const auto& x, const auto& w) { return product.right(x, w); }, x2,
                         numbers<double, 2>({3, product.weight_numel()}, 2));
    const so3::WeightedTensorProduct<float> layer(product);
    const auto many = numbers<float, 2>({1000, 4});
    const auto dy = numbers<float, 3>({1000, 8, 11});
    require_thread_independent([&] {
        const Var v{many};
        weft::backward(layer.right(v), dy);
        return v.grad();
    });
    require_thread_independent([&] {
        const Var<float, 1> w{numbers<float, 1>({product.weight_numel()}, 5)};
        weft::backward(product.right(many, w), dy);
        return w.grad();
    });
    REQUIRE(layer.right(Tensor<float, 2>::zeros({0, 4})).shape() == Extents<3>{0, 8, 11});
    REQUIRE(error_of([&] {
                (void)product.right(numbers<double, 2>({3, 5}), numbers<double, 1>({12}));
            }) == "weft: TensorProduct: x2 is [3, 5]: its last extent must be 4, the dimension of 1x1o+1x0e");
    REQUIRE_THAT(error_of([&] { (void)product.right(x2, numbers<double, 1>({12})); }), ContainsSubstring("must be 14"));
    REQUIRE_THAT(error_of([&] {
                     (void)product.right(x2, numbers<double, 2>({2, 14}));
                 }),
                 ContainsSubstring("the weights are [2, 14], x2 is [3, 4]: each row"));
    REQUIRE_THAT(error_of([&] { (void)product.right(x2); }), ContainsSubstring("14 are needed"));
}

TEST_CASE("TensorProduct: errors", "[so3]") {
    const auto message = [](const char* a, const char* b, const char* c, const Instruction& i) {
        return error_of([&] { TensorProduct(a, b, c, {i}); });
    };
    REQUIRE(message("2x1o", "1o", "2x1o", {0, 0, 0, ProductMode::uvu}) ==
            "weft: TensorProduct: an instruction couples 1o and 1o to 1o, which is not in their product");
    REQUIRE_THAT(message("2x1o", "1o", "2x3e", {0, 0, 0, ProductMode::uvu}), ContainsSubstring("not in their product"));
    REQUIRE(message("2x1o", "1o", "3x0e", {0, 0, 0, ProductMode::uvu}) ==
            "weft: TensorProduct: the path 2x1o x 1x1o -> 3x0e in mode uvu: the result must have the multiplicity of "
            "the first input");
    REQUIRE_THAT(message("2x1o", "1o", "3x0e", {0, 1, 0}), ContainsSubstring("there are 1, 1 and 1"));
    REQUIRE_THAT(message("2x1o", "1o", "3x0e", {0, 0, 0, ProductMode::uvw, false}), ContainsSubstring("has weights"));
    const TensorProduct product("2x1o", "1o", "2x0e", {{0, 0, 0, ProductMode::uvu}});
    const auto x1 = numbers<double, 2>({3, 6}), x2 = numbers<double, 2>({3, 3});
    REQUIRE(error_of([&] {
                (void)product(numbers<double, 2>({3, 5}), x2, numbers<double, 1>({2}));
            }) == "weft: TensorProduct: x1 is [3, 5]: its last extent must be 6, the dimension of 2x1o");
    REQUIRE_THAT(error_of([&] {
                     (void)product(x1, numbers<double, 2>({2, 3}), numbers<double, 1>({2}));
                 }),
                 ContainsSubstring("the same number of rows"));
    REQUIRE_THAT(error_of([&] { (void)product(x1, x2, numbers<double, 1>({3})); }), ContainsSubstring("must be 2"));
    REQUIRE_THAT(error_of([&] { (void)product(x1, x2, numbers<double, 2>({1, 2})); }), ContainsSubstring("each row"));
    REQUIRE_THAT(error_of([&] { (void)product(x1, x2); }), ContainsSubstring("2 are needed"));
    REQUIRE_THAT(error_of([] { (void)so3::product_mode("vuw"); }), ContainsSubstring("\"vuw\""));
}

TEST_CASE("TensorProduct: no rows, no copies, many rows on any number of threads", "[so3]") {
    const TensorProduct none("0x1o+2x0e", "1o", "0x0e+2x1o",
                             {{0, 0, 0, ProductMode::uvu}, {1, 0, 1, ProductMode::uvu}});
    REQUIRE(none.weight_numel() == 2);
    REQUIRE(none(numbers<double, 2>({0, 2}), numbers<double, 2>({0, 3}), numbers<double, 1>({2})).shape() ==
            Extents<2>{0, 6});
    const TensorProduct product("3x1o+2x0e", "2x1o+1x0e", "4x0e+2x1o",
                                {{0, 0, 0}, {1, 1, 0}, {0, 1, 1}, {1, 0, 1, ProductMode::uvw, true, 0.5}});
    const auto x1 = numbers<float, 2>({777, 11}), x2 = numbers<float, 2>({777, 7}, 2),
               dy = numbers<float, 2>({777, 10});
    const auto w = numbers<float, 1>({product.weight_numel()}, 3);
    const auto gradients = [&](auto choose) {
        require_thread_independent([&] {
            const Var v1{x1}, v2{x2};
            const Var vw{w};
            weft::backward(product(v1, v2, vw), dy);
            return choose(v1, v2, vw).grad();
        });
    };
    gradients([](const auto& v1, const auto&, const auto&) { return v1; });
    gradients([](const auto&, const auto& v2, const auto&) { return v2; });
    gradients([](const auto&, const auto&, const auto& vw) { return vw; });
    // Rows do not depend on others.
    const auto all = product(x1, x2, w);
    const Tensor<float, 2> few1 = slice(x1, 0, 40, 47), few2 = slice(x2, 0, 40, 47);
    REQUIRE(same_bits(product(few1, few2, w), Tensor<float, 2>(slice(all, 0, 40, 47))));
}
