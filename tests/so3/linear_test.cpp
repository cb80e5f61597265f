// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "so3/derivatives.hpp"

#include <weft/core/views.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/so3/linear.hpp>
#include <weft/so3/wigner_d.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;

namespace {

void check(GoldenCase& g) {
    const so3::Irreps in(g.option("irreps_in", std::string())), out(g.option("irreps_out", std::string()));
    so3::LinearOptions options{.bias = g.option("biases", false),
                               .f_in = g.option("f_in", weft::index{1}),
                               .f_out = g.option("f_out", weft::index{1})};
    for (const auto& i : g.option("instructions", nlohmann::json::array()))
        options.instructions.push_back({i.at(0), i.at(1)});
    if (g.option("path_normalization", std::string("element")) == "path")
        options.path_normalization = so3::PathNormalization::path;
    const bool shared = g.option("shared_weights", true);
    (void)g.option("internal_weights", true);

    const so3::Linear<double> linear(in, out, options);
    if (g.has("irreps_in")) {
        REQUIRE(linear.irreps_in() == irreps_of(g, "irreps_in"));
        REQUIRE(linear.irreps_out() == irreps_of(g, "irreps_out"));
    }
    // The reference lists biases behind the paths, as coming from -1 with coefficient 1.
    auto paths = linear.instructions();
    auto coefficients = linear.path_coefficients();
    for (weft::index o = 0; options.bias && o < out.size(); ++o)
        if (out[o].ir.is_scalar()) {
            paths.push_back({-1, o});
            coefficients.push_back(1);
        }
    auto instructions = Tensor<std::int64_t, 2>::empty({static_cast<weft::index>(paths.size()), 2});
    std::int64_t* to = instructions.mutable_data();
    for (const auto& [i, o] : paths) {
        *to++ = i;
        *to++ = o;
    }
    if (g.has("instructions")) g.compare("instructions", instructions);
    g.compare("path_coeff", Tensor<double, 1>::from(std::span<const double>(coefficients),
                                                    {static_cast<weft::index>(coefficients.size())}));
    if (g.has("output_mask")) g.compare("output_mask", linear.output_mask());

    const auto run = [&](const auto& x, const auto& w, const auto&... b) {
        using T = typename std::remove_cvref_t<decltype(x)>::value_type;
        const so3::Linear<T> layer(in, out, options);
        if constexpr (std::remove_cvref_t<decltype(w)>::rank == 3)
            return layer(x, reshape(w, Extents<1>{w.size()}));
        else
            return layer(x, w, b...);
    };
    if (g.shape("w").size() == 3)
        check_derivatives(g, run, Input<3>{"x"}, Input<3>{"w"});
    else if (!shared)
        check_derivatives(g, run, Input<2>{"x"}, Input<2>{"w"});
    else if (options.bias)
        check_derivatives(g, run, Input<2>{"x"}, Input<1>{"w"}, Input<1>{"b"});
    else
        check_derivatives(g, run, Input<2>{"x"}, Input<1>{"w"});
}

} // namespace

TEST_CASE("so3::Linear: as in e3nn", "[so3][golden]") {
    for_each_golden_case("equivariant-core", "linear", [](GoldenCase& g) { check(g); });
}

TEST_CASE("so3::Linear: its own parameters, biases without paths, no copies", "[so3]") {
    weft::Generator generator{3};
    const so3::Linear<double> linear("4x0e+0x1e+3x1o", "2x0e+1x1o+2x2e", {.bias = true, .generator = &generator});
    REQUIRE(linear.weight.size() == 11);
    const auto x = numbers<double, 2>({5, 13});
    REQUIRE(same_bits(linear(x), linear(x, linear.weight.value())));
    // Nothing leads to the scalar: its bias is the result.
    const so3::Linear<double> lonely("1o", "2x0e+1o", {.bias = true});
    const auto y = lonely(numbers<double, 2>({2, 3}), Tensor<double, 1>::ones({1}), numbers<double, 1>({2}, 5));
    for (weft::index row = 0; row < 2; ++row)
        for (weft::index i = 0; i < 2; ++i) REQUIRE(y(row, i) == numbers<double, 1>({2}, 5)(i));
    REQUIRE(linear(Tensor<double, 2>::zeros({0, 13})).shape() == Extents<2>{0, 15});
}

TEST_CASE("so3::Linear: equivariant, rows apart, the same on any number of threads", "[so3]") {
    const so3::Irreps in("7x0e+2x0o+20x1o+3x2e"), out("20x0e+5x1o+1x1e+4x2e");
    weft::Generator generator{1};
    const so3::Linear<double> linear(in, out, {.generator = &generator});
    const auto x = numbers<double, 2>({333, in.dim()});
    const auto rotation = so3::Rotation::from_angles({1, 2, 3}) * so3::Rotation::inversion();
    const auto rotated = [&](const Tensor<double, 2>& rows, const so3::Irreps& irreps) {
        return Tensor<double, 2>(matmul(rows, transpose(so3::wigner_d(irreps, rotation))));
    };
    const auto a = linear(rotated(x, in)), b = rotated(linear(x), out);
    for (weft::index i = 0; i < a.size(); ++i) REQUIRE(std::abs(a.data()[i] - b.data()[i]) < 1e-10);
    const Tensor<double, 2> few = slice(x, 0, 20, 30);
    REQUIRE(same_bits(linear(few), Tensor<double, 2>(slice(linear(x), 0, 20, 30))));
    const auto dy = numbers<double, 2>({333, out.dim()}, 4);
    require_thread_independent([&] {
        const Var vx{x};
        const Var vw{linear.weight.value()};
        weft::backward(linear(vx, vw), dy);
        return vw.grad();
    });
}

TEST_CASE("so3::Linear: errors", "[so3]") {
    const so3::Linear<double> linear("2x0e+1o", "3x0e");
    REQUIRE(error_of([&] {
                (void)linear(numbers<double, 2>({4, 6}));
            }) == "weft: Linear: x is [4, 6]: must be [N, 5], features of 2x0e+1x1o");
    REQUIRE_THAT(error_of([&] {
                     (void)linear(numbers<double, 2>({4, 5}), numbers<double, 1>({5}));
                 }),
                 ContainsSubstring("must be [6]"));
    REQUIRE_THAT(error_of([&] {
                     (void)linear(numbers<double, 2>({4, 5}), numbers<double, 2>({3, 6}));
                 }),
                 ContainsSubstring("for each row"));
    REQUIRE_THAT(error_of([] {
                     so3::Linear<double>("1o", "1e", {.instructions = {{0, 0}}});
                 }),
                 ContainsSubstring("connects 1x1o to 1x1e"));
    REQUIRE_THAT(error_of([] {
                     so3::Linear<double>("1o", "1o", {.instructions = {{0, 1}}});
                 }),
                 ContainsSubstring("terms 0 and 1"));
}
