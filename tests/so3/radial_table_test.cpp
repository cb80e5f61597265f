// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "so3/derivatives.hpp"

#include <weft/grad/expect_grad.hpp>
#include <weft/so3/convolution.hpp>
#include <weft/so3/fully_connected_net.hpp>
#include <weft/so3/radial.hpp>
#include <weft/so3/radial_table.hpp>

using namespace weft_test;
using weft::Dual, weft::Extents, weft::Graph, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::Irreps, so3::RadialTable;

namespace {

/// A radial network of lengths up to 5.
template <class T>
struct Radial {
    static constexpr double r_max = 5;
    so3::FullyConnectedNet<T> network;

    explicit Radial(weft::index weights) {
        weft::Generator generator{3};
        network = so3::FullyConnectedNet<T>({8, 32, 32, weights}, so3::Function::silu, {.generator = &generator});
    }
    auto operator()(const auto& r) const {
        const auto cut = so3::polynomial_cutoff(r, r_max);
        return network(weft::eval(so3::bessel_basis(r, r_max, 8) * unsqueeze(cut, 1)));
    }
};

/// Lengths from `first` to `last`, in no order.
template <class T>
Tensor<T, 1> lengths(weft::index n, double first, double last) {
    const auto at = numbers<double, 1>({n}, 11);
    auto r = Tensor<T, 1>::empty({n});
    for (weft::index i = 0; i < n; ++i) r.mutable_data()[i] = T(first + (last - first) * (at(i) - std::floor(at(i))));
    return r;
}
template <class T>
double root_mean_square(const Tensor<T, 2>& x) {
    double sum = 0;
    for (const T& value : x.values()) sum += double(value) * double(value);
    return std::sqrt(sum / double(x.size()));
}
template <class T, int N>
double largest_difference(const Tensor<T, N>& a, const Tensor<T, N>& b) {
    REQUIRE(a.shape() == b.shape());
    double most = 0;
    for (weft::index i = 0; i < a.size(); ++i)
        most = std::max(most, std::abs(double(a.data()[i]) - double(b.data()[i])));
    return most;
}

Graph ring(weft::index nodes, weft::index neighbors) {
    auto ends = Tensor<std::int32_t, 2>::empty({2, nodes * neighbors});
    for (weft::index e = 0; e < nodes * neighbors; ++e) {
        ends.mutable_data()[e] = static_cast<std::int32_t>(e * 7 % nodes);
        ends.mutable_data()[nodes * neighbors + e] = static_cast<std::int32_t>(e * e % nodes);
    }
    return Graph(ends, nodes, nodes);
}

template <class T>
Tensor<Dual<T>, 1> with_unit_tangent(const Tensor<T, 1>& r) {
    auto both = Tensor<Dual<T>, 1>::empty(r.shape());
    for (weft::index i = 0; i < r.size(); ++i) both.mutable_data()[i] = {r(i), T(1)};
    return both;
}

} // namespace

TEST_CASE("RadialTable: a network at the errors that it says", "[so3]") {
    const auto check = [&]<class T>(T, double tolerance, double derivative_tolerance) {
        const Radial<T> radial(37);
        const RadialTable<T> table(radial, Radial<T>::r_max,
                                   {.tolerance = tolerance, .derivative_tolerance = derivative_tolerance});
        REQUIRE(table.error() <= tolerance);
        REQUIRE(table.derivative_error() <= derivative_tolerance);
        REQUIRE(table.vanishes());
        REQUIRE(table.weight_numel() == 37);
        const auto r = lengths<T>(3000, 0, Radial<T>::r_max);
        const Tensor<Dual<T>, 2> made = table(with_unit_tangent(r));
        const Tensor<Dual<double>, 2> exact = radial(with_unit_tangent(Tensor<double, 1>(r)));
        const auto part = [](const auto& x, bool tangent) {
            auto y = Tensor<double, 2>::empty(x.shape());
            for (weft::index i = 0; i < x.size(); ++i)
                y.mutable_data()[i] = double(tangent ? x.data()[i].tangent : x.data()[i].value);
            return y;
        };
        // The root of the mean square is here that of other lengths.
        for (const bool tangent : {false, true}) {
            const auto expected = part(exact, tangent);
            const double error = largest_difference(part(made, tangent), expected) / root_mean_square(expected);
            REQUIRE(error < 1.5 * (tangent ? table.derivative_error() : table.error()));
        }
        return table.knots();
    };
    REQUIRE(check(double{}, 1e-4, 1) == 128);
    REQUIRE(check(double{}, 1e-7, 1e-4) > 128);
    check(double{}, 1e-9, 1e-5);
    check(float{}, 1e-5, 1e-3);
}

TEST_CASE("RadialTable: cubic polynomials are themselves, ends included", "[so3]") {
    const auto cubic = [](const auto& r) {
        return eval(unsqueeze(1 + r * (2 - r * (3 - 0.5 * r)), 1) * Tensor<double, 1>::from({1, -2}));
    };
    const RadialTable<double> table(cubic, 2, {.tolerance = 1e-12, .derivative_tolerance = 1e-11, .first_knots = 4});
    REQUIRE(table.knots() == 4);
    REQUIRE_FALSE(table.vanishes());
    const auto r = Tensor<double, 1>::from({0, 0.1, 0.5, 1.3, 1.999, 2});
    REQUIRE(largest_difference(Tensor<double, 2>(table(r)), Tensor<double, 2>(cubic(r))) < 1e-13);
    weft::expect_grad<2>([&](const auto& v) { return table(v); }, Tensor<double, 1>::from({0.1, 0.77, 1.3, 1.9}));
    require_thread_independent([&] {
        const Var v{lengths<double>(20000, 0, 2)};
        weft::backward(table(v), numbers<double, 2>({20000, 2}));
        return v.grad();
    });
    REQUIRE(table(Tensor<double, 1>::zeros({0})).shape() == Extents<2>{0, 2});
    REQUIRE(RadialTable<float>()(Tensor<float, 1>::zeros({3})).shape() == Extents<2>{3, 0});
}

TEST_CASE("convolution: with weights from a table", "[so3]") {
    const Graph g = ring(17, 9);
    const auto check = [&]<class T>(T, const char* features, double tolerance) {
        INFO(features);
        const so3::ConvolutionTensorProduct product(features, "0e+1o+2e");
        const Radial<T> radial(product.weight_numel());
        const RadialTable<T> table(radial, Radial<T>::r_max, {.tolerance = 1e-5, .derivative_tolerance = 1e-3});
        const auto x = numbers<T, 2>({g.num_src(), product.irreps_in1().dim()});
        const auto y = numbers<T, 2>({g.num_edges(), 9}, 2);
        const auto r = lengths<T>(g.num_edges(), 0.5, 5.5); // some beyond
        const auto dy = numbers<T, 2>({g.num_dst(), product.irreps_out().dim()}, 4);
        // The table's own weights, stored: the same numbers but for the order of the sums.
        const Var<T, 2> ax{x}, bx{x}, cx{x}, ay{y}, by{y}, cy{y};
        const Var<T, 1> ar{r}, br{r}, cr{r};
        const auto a = so3::convolution(product, g, ax, ay, ar, table);
        const auto b = so3::convolution(product, g, bx, by, table(br));
        const auto c = so3::convolution(product, g, cx, cy, radial(cr));
        weft::backward(a, dy);
        weft::backward(b, dy);
        weft::backward(c, dy);
        const auto largest = [](const auto& t) {
            double most = 0;
            for (const T& value : t.values()) most = std::max(most, std::abs(double(value)));
            return most;
        };
        const auto compare = [&](const auto& one, const auto& stored, const auto& exact, double error) {
            REQUIRE(largest_difference(one, stored) <= tolerance * largest(stored));
            REQUIRE(largest_difference(one, exact) <= error * largest(exact));
        };
        compare(a.value(), b.value(), c.value(), 3 * table.error());
        compare(ax.grad(), bx.grad(), cx.grad(), 3 * table.error());
        compare(ay.grad(), by.grad(), cy.grad(), 3 * table.error());
        compare(ar.grad(), br.grad(), cr.grad(), 3 * table.derivative_error());
        for (weft::index e = 0; e < r.size(); ++e)
            if (r(e) > 5) REQUIRE(ar.grad()(e) == 0);
    };
    check(double{}, "16x0e+32x1o", 1e-13);
    check(double{}, "3x0e+9x1o+2x1e+1x2o", 1e-13);
    check(float{}, "16x0e+3x1o", 1e-5);
}

TEST_CASE("convolution: gradients of a table's weights to second order, threads", "[so3]") {
    const Graph g = ring(5, 4);
    const so3::ConvolutionTensorProduct product("2x0e+1x1o", "0e+1o");
    const Radial<double> radial(product.weight_numel());
    // Few knots, so that differences with steps between them see a smooth function.
    const RadialTable<double> table(radial, 5, {.tolerance = 1, .derivative_tolerance = 2, .first_knots = 8});
    auto r = Tensor<double, 1>::empty({20});
    for (weft::index e = 0; e < 20; ++e)
        r.mutable_data()[e] = 5.0 / double(table.knots()) * (double(1 + e % 6) + 0.2 + 0.03 * double(e));
    weft::expect_grad<2>(
        [&](const auto& x, const auto& y, const auto& v) { return so3::convolution(product, g, x, y, v, table); },
        numbers<double, 2>({5, 5}), numbers<double, 2>({20, 4}, 2), r);

    const Graph many = ring(200, 25);
    const Radial<float> radial_float(product.weight_numel());
    const RadialTable<float> table_float(radial_float, 5);
    const auto x = numbers<float, 2>({200, 5}), y = numbers<float, 2>({5000, 4}, 2);
    const auto lengths_float = lengths<float>(5000, 0, 6);
    const auto dy = numbers<float, 2>({200, product.irreps_out().dim()}, 5);
    const auto same_on_threads = [&](auto choose) {
        require_thread_independent([&] {
            const Var vx{x}, vy{y};
            const Var vr{lengths_float};
            const auto sums = so3::convolution(product, many, vx, vy, vr, table_float);
            weft::backward(sums, dy);
            return choose(sums.value(), vx.grad(), vy.grad(), vr.grad());
        });
    };
    same_on_threads([](const auto& value, const auto&, const auto&, const auto&) { return value; });
    same_on_threads([](const auto&, const auto& a, const auto&, const auto&) { return a; });
    same_on_threads([](const auto&, const auto&, const auto& b, const auto&) { return b; });
    same_on_threads([](const auto&, const auto&, const auto&, const auto& c) { return c; });
    REQUIRE(so3::convolution(product, Graph(Tensor<std::int32_t, 2>::empty({2, 0}), 3, 2), numbers<float, 2>({3, 5}),
                             Tensor<float, 2>::empty({0, 4}), Tensor<float, 1>::empty({0}), table_float)
                .shape() == Extents<2>{2, product.irreps_out().dim()});
}

TEST_CASE("RadialTable: errors", "[so3]") {
    const auto wave = [](const auto& r) { return eval(unsqueeze(sin(20 * r), 1)); };
    REQUIRE_THAT(error_of([&] { RadialTable<double>(wave, 5, {.tolerance = 1e-9, .most_knots = 300}); }),
                 ContainsSubstring("with 256 knots the error is ") && ContainsSubstring("at most 300 knots"));
    REQUIRE(error_of([&] { RadialTable<double>(wave, 0); }) == "weft: RadialTable: r_max is 0: must be positive");
    REQUIRE(error_of([&] { RadialTable<double>(wave, 1, {.first_knots = 2}); }) ==
            "weft: RadialTable: from 2 to 16384 knots: there must be at least 4, and not fewer at the end");
    const auto pole = [](const auto& r) { return eval(unsqueeze(1 / r, 1)); };
    REQUIRE_THAT(error_of([&] { RadialTable<double>(pole, 1); }), ContainsSubstring("not finite at length 0"));
    const auto one_row = [](const auto& r) {
        return Tensor<typename std::remove_cvref_t<decltype(r)>::value_type, 2>::zeros({1, 2});
    };
    REQUIRE(error_of([&] { RadialTable<double>(one_row, 1); }) ==
            "weft: RadialTable: the function makes [1, 2] of lengths [129]: must give a row for each");

    const RadialTable<double> table(wave, 5);
    const auto at = [&](double r) { return error_of([&] { (void)table(Tensor<double, 1>::from({1, r})); }); };
    REQUIRE(at(5.25) ==
            "weft: RadialTable: length 1 is 5.25, r_max is 5, where the function is not 0: there is nothing beyond");
    REQUIRE(at(-0.5) == "weft: RadialTable: length 1 is -0.5: must not be negative");
    REQUIRE_THAT(at(std::numeric_limits<double>::quiet_NaN()), ContainsSubstring("length 1 is nan"));

    const Graph g = ring(3, 2);
    const so3::ConvolutionTensorProduct product("2x0e", "0e");
    const auto convolve = [&](weft::index edges) {
        (void)so3::convolution(product, g, numbers<double, 2>({3, 2}), numbers<double, 2>({6, 1}),
                               Tensor<double, 1>::ones({edges}), table);
    };
    REQUIRE(error_of([&] { convolve(5); }) == "weft: convolution: lengths is [5]: must be [6]");
    REQUIRE(error_of([&] { convolve(6); }) == "weft: convolution: the table has 1 weights: the product needs 2");
}
