// SPDX-License-Identifier: MIT
#include "so3/derivatives.hpp"
#include "so3/equivariance.hpp"

#include <weft/core/combine.hpp>
#include <weft/core/format.hpp>
#include <weft/core/views.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/so3/gate.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::Activation, so3::Function, so3::Gate, so3::Irreps;

namespace {

Function function_of(const std::string& name) {
    return so3::function_named(name == "gelu_erf" ? "gelu" : name == "ssp" ? "shifted_softplus" : name);
}
std::vector<Function> functions_of(const GoldenCase& g, const char* option) {
    std::vector<Function> all;
    for (const auto& name : g.option(option, std::vector<std::string>())) all.push_back(function_of(name));
    return all;
}
std::vector<std::string> split(const std::string& text, char at) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(at, begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

} // namespace

TEST_CASE("normalize2mom: the factors of the reference, and the integrals", "[so3][golden]") {
    with_golden_case("equivariant-core", "activation_gate", "normalize2mom", [](GoldenCase& g) {
        std::vector<double> sampled, exact;
        for (const std::string& name : split(g.metadata().at("act_order"), ',')) {
            sampled.push_back(so3::normalize2mom(function_of(name)));
            exact.push_back(so3::normalize2mom(function_of(name), so3::SecondMoment::exact));
        }
        g.compare("cst_reference_montecarlo", Tensor<double, 1>::from(sampled));
        g.compare("cst_exact", Tensor<double, 1>::from(exact));
    });
    REQUIRE(so3::normalize2mom(Function::none) == 1);
    REQUIRE(std::abs(so3::normalize2mom([](double z) { return z * z; }) - 1 / std::sqrt(3.0)) < 1e-12);
    REQUIRE(so3::function_named("gelu_tanh") == Function::gelu_tanh);
    REQUIRE(so3::name_of(Function::shifted_softplus) == "shifted_softplus");
    REQUIRE_THAT(error_of([] { (void)so3::function_named("swish"); }),
                 ContainsSubstring("\"swish\" must be one of none"));
}

TEST_CASE("Activation: as in e3nn", "[so3][golden]") {
    with_golden_case("equivariant-core", "activation_gate", "activation", [](GoldenCase& g) {
        std::vector<Function> functions;
        std::string irreps;
        for (const std::string& term : split(g.metadata().at("activation"), '+')) { // 3x0e(silu)
            const auto parts = split(term, '(');
            irreps += (irreps.empty() ? "" : "+") + parts.at(0);
            functions.push_back(function_of(parts.at(1).substr(0, parts.at(1).size() - 1)));
        }
        const Activation activation(irreps, functions);
        REQUIRE(activation.irreps_out() == irreps_of(g, "irreps_out"));
        check_derivatives(g, activation, Input<2>{"x"});
    });
}

TEST_CASE("Gate: as in e3nn", "[so3][golden]") {
    for_each_golden_case(
        "equivariant-core", "activation_gate",
        [](GoldenCase& g) {
            const auto irreps = [&](const char* option) { return Irreps(g.option(option, std::string())); };
            const Gate gate(irreps("irreps_scalars"), functions_of(g, "act_scalars"), irreps("irreps_gates"),
                            functions_of(g, "act_gates"), irreps("irreps_gated"));
            REQUIRE(gate.irreps_in() == irreps("irreps_in"));
            REQUIRE(gate.irreps_in() == irreps_of(g, "irreps_in"));
            REQUIRE(gate.irreps_out() == irreps("irreps_out"));
            REQUIRE(gate.irreps_out() == irreps_of(g, "irreps_out"));
            check_derivatives(g, gate, Input<2>{"x"});
        },
        [](const GoldenCase& g) { return g.name().starts_with("gate_"); });
}

TEST_CASE("Activation, Gate: all functions, and their gradients", "[so3]") {
    for (int k = 0; k <= static_cast<int>(Function::cos); ++k) {
        const auto f = static_cast<Function>(k);
        INFO(so3::name_of(f));
        const auto x = numbers<double, 2>({3, 21}, 4);
        weft::expect_grad<2>([&](const auto& v) { return so3::apply_function(f, v, 1.5); }, x);
    }
}

TEST_CASE("Gate: follows rotations", "[so3]") {
    const Gate gate("4x0e+2x0o+1x0o", {Function::silu, Function::tanh, Function::abs}, "2x0e+2x0o+3x0o",
                    {Function::sigmoid, Function::tanh, Function::cos}, "3x1o+0x5e+2x2e+1x3o+1x4e");
    REQUIRE(fmt::format("{}", gate.irreps_in()) == "8x0o+6x0e+3x1o+2x2e+1x3o+1x4e");
    REQUIRE(fmt::format("{}", gate.irreps_out()) == "4x0e+2x0o+1x0e+2x1o+1x1e+1x2o+1x2e+1x3o+1x4e");
    require_equivariant(gate.irreps_in(), gate.irreps_out(), gate);
    const auto x = numbers<double, 2>({3, gate.irreps_in().dim()});
    weft::expect_grad<2>([&](const auto& v) { return gate(v); }, x);

    const Activation activation("2x0o+1x1e+3x0e+0x0e", {Function::cos, Function::none, Function::gelu, Function::elu});
    require_equivariant(activation.irreps_in(), activation.irreps_out(), activation);
}

TEST_CASE("Gate: no rows, no copies, many rows on any number of threads", "[so3]") {
    const Gate gate("17x0e", {Function::silu}, "6x0e", {Function::sigmoid}, "5x1o+1x2e");
    REQUIRE(gate(numbers<double, 2>({0, 43})).shape() == Extents<2>{0, 37});
    REQUIRE(Gate()(numbers<double, 2>({3, 0})).shape() == Extents<2>{3, 0});
    const Gate none("0x0e", {Function::silu}, "0x0e", {Function::sigmoid}, "0x1o");
    REQUIRE(none.irreps_in().dim() == 0);
    REQUIRE(none(numbers<float, 2>({2, 0})).size() == 0);

    const auto x = numbers<float, 2>({1500, 43}), dy = numbers<float, 2>({1500, 37}, 2);
    require_thread_independent([&] {
        const Var v{x};
        const auto y = gate(v);
        weft::backward(y, dy);
        return Tensor<float, 2>(concat(1, y.value(), v.grad()));
    });
    // Rows do not depend on others.
    const Tensor<float, 2> few = slice(x, 0, 40, 47);
    REQUIRE(same_bits(gate(few), Tensor<float, 2>(slice(gate(x), 0, 40, 47))));
}

TEST_CASE("Activation, Gate: errors", "[so3]") {
    const auto activation = [](const char* irreps, std::vector<Function> f) {
        return error_of([&] { Activation(irreps, f); });
    };
    REQUIRE(activation("2x0e+1x1o", {Function::silu}) ==
            "weft: Activation: there are 1 functions for 2x0e+1x1o: there must be 2, one for each term (or "
            "Function::none)");
    REQUIRE(activation("2x0e+1x1o", {Function::silu, Function::tanh}) ==
            "weft: Activation: tanh of 1x1o: only scalars (l = 0) have functions of their components");
    REQUIRE(activation("2x0o", {Function::silu}) ==
            "weft: Activation: silu of 2x0o: a function of odd scalars must be even or odd");
    REQUIRE_THAT(error_of([] { Gate("1x1o", {Function::none}, "", {}, ""); }), ContainsSubstring("must have l = 0"));
    REQUIRE(error_of([] { Gate("", {}, "2x0e", {Function::sigmoid}, "3x1o"); }) ==
            "weft: Gate: there are 2 gates in 2x0e for 3 irreps in 3x1o: there must be one for each");
    const Gate gate("1x0e", {Function::silu}, "2x0e", {Function::sigmoid}, "2x1o");
    REQUIRE(error_of([&] {
                (void)gate(numbers<double, 2>({3, 8}));
            }) == "weft: Gate: x is [3, 8]: its last extent must be 9, the dimension of 3x0e+2x1o");
}
