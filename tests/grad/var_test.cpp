// SPDX-License-Identifier: MIT
#include "../core/tensor_checks.hpp"

#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>
#include <weft/grad.hpp>
#include <weft/linalg/matmul.hpp>

using namespace weft_test;
using weft::Extents, weft::Parameter, weft::Tensor, weft::Var;

TEST_CASE("var: what is recorded and what is not", "[grad]") {
    const auto x = numbers<float, 2>({3, 4}, 1);
    const Var<float, 2> v{x};
    const Parameter<float, 2> p{numbers<float, 2>({3, 4}, 2)};
    STATIC_REQUIRE(weft::kind_of<decltype(v * x)> == weft::Kind::var);
    STATIC_REQUIRE(weft::kind_of<decltype(p * x)> == weft::Kind::tensor);
    STATIC_REQUIRE(weft::kind_of<decltype(p * v)> == weft::Kind::var);
    STATIC_REQUIRE(weft::kind_of<decltype(p.var() * x)> == weft::Kind::var);
    STATIC_REQUIRE(std::same_as<decltype(weft::eval(p * x)), Tensor<float, 2>>);
    STATIC_REQUIRE(std::same_as<decltype(weft::eval(p * v)), Var<float, 2>>);
    STATIC_REQUIRE(std::same_as<decltype(weft::matmul(v, x)), Var<float, 2>>);
    STATIC_REQUIRE(std::same_as<decltype(weft::matmul(p, x)), Tensor<float, 2>>);
    const Tensor<float, 2> a = x * p + 1.0f;
    const Var<float, 2> b = v * p + 1.0f;
    REQUIRE(same_bits(a, b.value()));
    REQUIRE(b.shape() == Extents<2>{3, 4});
    REQUIRE(b.extent(-1) == 4);
    REQUIRE(weft::select_index(weft::select_index(b, 0, 1), 0, 2).item() == a(1, 2));
}

TEST_CASE("var: a Var landed in a Tensor is a value without history", "[grad]") {
    const Var<double, 1> v{numbers<double, 1>({5})};
    const Tensor<double, 1> t = v * v;
    const Var<double, 1> detached{t};
    backward(weft::sum(detached * v));
    REQUIRE(same_bits(v.grad(), t));
    REQUIRE(same_bits(detached.grad(), v.value()));
}

TEST_CASE("var: copies name the same value", "[grad]") {
    const Var<double, 1> a{numbers<double, 1>({5})};
    const Var<double, 1> b = a;
    backward(weft::sum(b * 2.0));
    REQUIRE(a.has_grad());
    REQUIRE(same_bits(a.grad(), Tensor<double, 1>::full({5}, 2)));
    Var<double, 1> c = a;
    c.clear_grad();
    REQUIRE_FALSE(a.has_grad());
    REQUIRE(error_of([&] { a.grad(); }) == "weft: grad: no gradient has reached this value: call backward(loss) first");
}

TEST_CASE("var: a leaf used twice and in several expressions adds up", "[grad]") {
    const auto x = numbers<double, 1>({9});
    const Var<double, 1> a{x};
    const Var<double, 1> b = a * a;
    const Var<double, 1> c = b * a + a;
    backward(weft::sum(c + b));
    const Tensor<double, 1> expected = 3.0 * x * x + 1.0 + 2.0 * x;
    for (weft::index i = 0; i < 9; ++i) REQUIRE(a.grad()(i) == Approx(expected(i)).epsilon(1e-14));
}

TEST_CASE("var: editing a tensor after it was recorded changes nothing", "[grad]") {
    auto x = numbers<double, 1>({6}, 1), y = numbers<double, 1>({6}, 2);
    const Tensor<double, 1> x0 = x, y0 = y;
    const Var<double, 1> a{x};
    const Var<double, 1> c = a * y;
    Tensor<double, 1> result = c.value();
    x(0) = 100;
    y(1) = 100;
    result(2) = 100;
    REQUIRE(a.value()(0) == x0(0));
    REQUIRE(c.value()(2) == x0(2) * y0(2));
    backward(weft::sum(c * c));
    for (weft::index i = 0; i < 6; ++i) REQUIRE(a.grad()(i) == Approx(2 * x0(i) * y0(i) * y0(i)).epsilon(1e-14));
    // And editing a gradient that was handed out does not change the Var's.
    Tensor<double, 1> g = a.grad();
    g(0) = 100;
    REQUIRE(a.grad()(0) != 100);
}

TEST_CASE("var: parameters are trained in place", "[grad]") {
    Parameter<double, 2> w{numbers<double, 2>({3, 2}, 1)};
    const Parameter<double, 2> shared = w;
    const Tensor<double, 2> before = w.value();
    const auto x = numbers<double, 2>({4, 3}, 2);
    const Var<double, 2> y = weft::matmul(Var<double, 2>{x}, w);
    for (double& v : w.mutable_values()) v += 1; // the graph keeps the old values
    REQUIRE(same_bits(w.value(), Tensor<double, 2>(before + 1.0)));
    REQUIRE(same_bits(shared.value(), w.value()));
    backward(weft::sum(y * y));
    const Tensor<double, 2> old_y = weft::matmul(x, before);
    const Tensor<double, 2> expected = 2.0 * weft::matmul(weft::transpose(x), old_y);
    REQUIRE(w.gradient_values().size() == 6);
    for (std::size_t i = 0; i < 6; ++i) REQUIRE(w.gradient_values()[i] == Approx(expected.data()[i]).epsilon(1e-12));
    REQUIRE(shared.has_grad());
    w.clear_grad();
    REQUIRE(w.gradient_values().empty());
    w.set_value(before);
    REQUIRE(same_bits(shared.value(), before));
    // Memory of the value is not copied when nobody else holds it.
    const double* const place = w.data();
    w.set_value(before * 2.0);
    const double* const owned = w.data();
    REQUIRE(owned != place);
    w.mutable_values()[0] = 5;
    REQUIRE(w.data() == owned);
}

TEST_CASE("var: a parameter alone in an expression", "[grad]") {
    const Parameter<double, 1> w{numbers<double, 1>({4}, 1)};
    const Var<double, 0> penalty = weft::sum(weft::square(w.var()));
    backward(penalty);
    for (weft::index i = 0; i < 4; ++i) REQUIRE(w.grad()(i) == 2 * w.value()(i));
    // Landing in a Var records a parameter too.
    const Parameter<double, 1> u{numbers<double, 1>({4}, 2)};
    const Var<double, 1> y = u * 3.0;
    backward(weft::sum(y));
    REQUIRE(same_bits(u.grad(), Tensor<double, 1>::full({4}, 3)));
}

TEST_CASE("var: windows of one value collect into it", "[grad]") {
    const Var<double, 1> x{numbers<double, 1>({6}, 1)};
    const Var<double, 1> y = weft::slice(x, 0, 0, 5) + 10.0 * weft::slice(x, 0, 1, 6);
    backward(weft::sum(y));
    REQUIRE(same_bits(x.grad(), Tensor<double, 1>::from({1, 11, 11, 11, 11, 10})));
    const Var<double, 2> m{numbers<double, 2>({3, 3}, 1)};
    const auto weight = numbers<double, 2>({3, 3}, 2);
    backward(weft::sum((m + weft::transpose(m)) * weight));
    for (weft::index i = 0; i < 3; ++i)
        for (weft::index j = 0; j < 3; ++j)
            REQUIRE(m.grad()(i, j) == Approx(weight(i, j) + weight(j, i)).epsilon(1e-15));
    // The gradient seen through a window is that part of the whole.
    const auto part = weft::slice(x, 0, 4);
    REQUIRE(part.grad()(1) == 10);
}
