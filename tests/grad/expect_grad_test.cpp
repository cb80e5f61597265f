// SPDX-License-Identifier: MIT
#include "../core/tensor_checks.hpp"

#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>
#include <weft/grad.hpp>
#include <weft/linalg/matmul.hpp>

using namespace weft_test;
using weft::expect_grad, weft::Tensor, weft::Var;

namespace {

/// x^3 with the slope of something else.
struct WrongSlope {
    [[maybe_unused]] static constexpr auto name = "wrong_slope";
    template <class P>
    static P value(const P& a) {
        return a * a * a;
    }
    template <class P>
    static P slope(const P& a, const P&) {
        return P(3) * a * a + P(0.001);
    }
};

/// sum of x^3 with rules of its own, right or wrong.
enum class Mistake { none, gradient, second_derivative, value_on_vars, error_on_vars };
template <Mistake M>
struct SumOfCubes {
    [[maybe_unused]] static constexpr auto name = "sum_of_cubes";
    template <class T>
    Tensor<T, 0> forward(const Tensor<T, 1>& x) const {
        return weft::sum(x * x * x);
    }
    template <class T>
    Tensor<T, 0> forward_recorded(const Tensor<T, 1>& x) const {
        if constexpr (M == Mistake::error_on_vars) throw weft::error(name, "only on Vars");
        const Tensor<T, 0> y = forward(x);
        return M == Mistake::value_on_vars ? Tensor<T, 0>(y + 1e-9) : y;
    }
    template <class T, class Sink>
    void backward(const Tensor<T, 0>& dy, const Tensor<T, 0>&, Sink& sink, const Tensor<T, 1>& x) const {
        Tensor<T, 1> slope = 3.0 * x * x;
        if constexpr (M == Mistake::gradient) slope(1) = 1.00001 * std::as_const(slope)(1);
        if constexpr (M == Mistake::second_derivative && !std::same_as<T, double>)
            for (T& s : slope.mutable_values()) s.tangent *= 1.00001;
        sink.template add<0>(slope * dy);
    }
};
template <Mistake M>
constexpr auto sum_of_cubes = [](const auto& x) { return weft::apply_operation(SumOfCubes<M>{}, x); };

} // namespace

TEST_CASE("expect_grad: passes what is right", "[grad]") {
    const auto x = numbers<double, 2>({3, 4}, 1), w = numbers<double, 2>({4, 2}, 2);
    const auto b = numbers<double, 1>({2}, 3);
    expect_grad([](const auto& a, const auto& c, const auto& d) { return tanh(weft::matmul(a, c) + d); }, x, w, b);
    expect_grad(sum_of_cubes<Mistake::none>, b);
    expect_grad([](const auto& a) { return weft::transpose(a); }, x);
    // A function that ignores an input, and one that depends on none.
    expect_grad([](const auto& a, const auto&) { return a * a; }, x, w);
    expect_grad([&](const auto&) { return Tensor<double, 2>(x); }, w);
    // Large and small numbers.
    expect_grad([](const auto& a) { return weft::sum(exp(a)); }, Tensor<double, 2>(x * 1e-9 + 12.0));
    expect_grad([](const auto& a) { return a * 1e-30; }, x);
    expect_grad([](const auto& a) { return a * 1e30; }, x);
}

TEST_CASE("expect_grad: finds a wrong slope", "[grad]") {
    const auto x = numbers<double, 1>({5}, 1);
    REQUIRE_THAT(error_of([&] { expect_grad([](const auto& a) { return weft::apply<WrongSlope>(a); }, x); }),
                 ContainsSubstring("weft: expect_grad: gradient of input 0 at [0]: backward() gives"));
    // The report names the element.
    REQUIRE_THAT(error_of([&] { expect_grad(sum_of_cubes<Mistake::gradient>, x); }),
                 ContainsSubstring("gradient of input 0 at [1]: backward() gives"));
    const auto y = numbers<double, 2>({2, 3}, 1);
    REQUIRE_THAT(error_of([&] {
                     expect_grad([](const auto& a, const auto& b) { return a + weft::apply<WrongSlope>(b); }, y, y);
                 }),
                 ContainsSubstring("gradient of input 1 at [0, 0]"));
}

TEST_CASE("expect_grad: finds a wrong second derivative", "[grad]") {
    const auto x = numbers<double, 1>({5}, 1);
    REQUIRE_THAT(error_of([&] { expect_grad(sum_of_cubes<Mistake::second_derivative>, x); }),
                 ContainsSubstring("second derivative of input 0 at [0]: backward() over Dual numbers gives"));
    expect_grad<1>(sum_of_cubes<Mistake::second_derivative>, x);
}

TEST_CASE("expect_grad: finds a value that differs on Vars", "[grad]") {
    const auto x = numbers<double, 1>({5}, 1);
    REQUIRE_THAT(error_of([&] { expect_grad(sum_of_cubes<Mistake::value_on_vars>, x); }),
                 ContainsSubstring("element 0 of the value: Tensors give"));
    const auto root = [](const auto& a) { return sqrt(a); };
    REQUIRE_THAT(error_of([&] { expect_grad(root, Tensor<double, 1>(x - 5.0)); }), ContainsSubstring("must be finite"));
}

TEST_CASE("expect_grad: throws iff the function throws", "[grad]") {
    const auto x = numbers<double, 1>({5}, 1);
    REQUIRE(error_of([&] { expect_grad(sum_of_cubes<Mistake::error_on_vars>, x); }) ==
            "weft: expect_grad: on Tensors the function throws nothing, on Vars `weft: sum_of_cubes: only on Vars`");
    const auto never = [](const auto& a) {
        if constexpr (weft::kind_of<std::remove_cvref_t<decltype(a)>> == weft::Kind::tensor)
            throw weft::error("f", "tensor");
        return a * a;
    };
    REQUIRE(error_of([&] { expect_grad(never, x); }) ==
            "weft: expect_grad: on Tensors the function throws `weft: f: tensor`, on Vars nothing");
    REQUIRE(error_of([&] {
                expect_grad([](const auto& a, const auto& b) { return weft::matmul(a, b); }, numbers<double, 2>({2, 3}),
                            numbers<double, 2>({2, 3}));
            }) == "weft: matmul: a is [2, 3], b is [2, 3]: inner extents 3 and 2 must be equal");
}
