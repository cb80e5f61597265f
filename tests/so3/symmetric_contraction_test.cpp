// SPDX-License-Identifier: MIT
#include "so3/derivatives.hpp"
#include "so3/equivariance.hpp"

#include <weft/nn/state_dict.hpp>
#include <weft/so3/linear.hpp>
#include <weft/so3/symmetric_contraction.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;

namespace {

/// A golden case of the contraction.
struct Contraction {
    GoldenCase& golden;
    so3::Irreps in{golden.option("irreps_in", std::string())}, out{golden.option("irreps_out", std::string())};
    so3::SymmetricContractionOptions options{.correlation = golden.option("correlation", 0),
                                             .num_elements = golden.option("num_elements", weft::index{0})};
    Tensor<weft::index, 1> element = Tensor<weft::index, 1>::zeros({golden.shape("x")[0]});

    explicit Contraction(GoldenCase& g) : golden(g) {
        const auto one_hot = g.get<double, 2>("node_attrs_onehot");
        for (weft::index i = 0; i < one_hot.extent(0); ++i)
            for (weft::index e = 0; e < one_hot.extent(1); ++e)
                if (one_hot(i, e) == 1) element.mutable_data()[i] = e;
    }
    std::string name(weft::index k, int order) const {
        return "w_out" + std::to_string(k) + "_nu" + std::to_string(order);
    }
    /// Calls f(parameter, its name in the file).
    template <class Layer, class F>
    void for_each_weight(Layer& layer, F&& f) const {
        for (weft::index k = 0; k < out.size(); ++k) {
            auto& contraction = layer.contractions[static_cast<std::size_t>(k)];
            f(contraction.weights_max, name(k, options.correlation));
            for (int q = 0; q + 1 < options.correlation; ++q)
                f(contraction.weights[static_cast<std::size_t>(q)], name(k, options.correlation - 1 - q));
        }
    }

    template <class T>
    void check_first_order() const {
        so3::SymmetricContraction<T> layer(in, out, options);
        for_each_weight(layer, [&](auto& p, const std::string& w) { p.set_value(golden.get<T, 3>(w)); });
        const Var<T, 3> x{golden.get<T, 3>("x")};
        const auto y = layer(x, element);
        const Tolerance tolerance{.of_float = 2e-5, .relative = 1e-9, .absolute = 1e-9};
        golden.compare("y", y.value(), {.of_float = 2e-5});
        weft::backward(y, golden.get<T, 2>("gy"));
        golden.compare("g_x", x.grad(), tolerance);
        for_each_weight(layer, [&](auto& p, const std::string& w) { golden.compare("g_" + w, p.grad(), tolerance); });
    }
    void check_second_order() const {
        using Dual = weft::Dual<double>;
        so3::SymmetricContraction<Dual> layer(in, out, options);
        const auto both = [&](const std::string& name) {
            return weft_test::detail::with_tangent(golden.get<double, 3>(name), golden.get<double, 3>("v_" + name));
        };
        for_each_weight(layer, [&](auto& p, const std::string& w) { p.set_value(both(w)); });
        const Var<Dual, 3> x{both("x")};
        const auto y = layer(x, element);
        const Tolerance tolerance{.relative = 1e-8, .absolute = 1e-8};
        const auto compare = [&](const std::string& name, const auto& value) {
            golden.compare("gg_" + name, weft_test::detail::tangent_of(value), tolerance);
        };
        compare("gy", y.value());
        const auto gy = golden.get<double, 2>("gy");
        weft::backward(y, weft_test::detail::with_tangent(gy, Tensor<double, 2>::zeros(gy.shape())));
        compare("x", x.grad());
        for_each_weight(layer, [&](auto& p, const std::string& w) { compare(w, p.grad()); });
    }
};

template <class T>
so3::SymmetricContraction<T> seeded(const so3::Irreps& in, const so3::Irreps& out, int correlation,
                                    weft::index num_elements) {
    weft::Generator generator{5};
    return {in, out, {.correlation = correlation, .num_elements = num_elements, .generator = &generator}};
}
/// Elements of n nodes in no order.
Tensor<weft::index, 1> some_elements(weft::index n, weft::index elements) {
    auto element = Tensor<weft::index, 1>::empty({n});
    for (weft::index i = 0; i < n; ++i) element.mutable_data()[i] = (i * i + 3 * i) % elements;
    return element;
}

} // namespace

TEST_CASE("so3::coupling_basis: the U matrices of MACE", "[so3][golden]") {
    with_golden_case("equivariant-core", "mace_symmetric_contraction", "", [](GoldenCase& g) {
        for (std::string name : g.tensors("U_")) {
            if (!name.ends_with(".shape")) continue;
            name.resize(name.size() - 6);
            INFO(name);
            const auto to = name.find("_to_"), nu = name.find("_nu");
            std::string in = name.substr(0, to);
            std::replace(in.begin(), in.end(), '_', '+');
            const so3::Irreps out(name.substr(to + 4, nu - to - 4));
            const int order = std::stoi(name.substr(nu + 3));
            const so3::CouplingBasis basis = so3::coupling_basis(in, out[0].ir, order);

            const bool scalar = out[0].ir.l == 0;
            const auto dims = g.get<std::int64_t, 1>("U_" + name + ".shape");
            std::vector<std::int64_t> shape(static_cast<std::size_t>(order), basis.in.dim());
            if (!scalar) shape.insert(shape.begin(), out[0].ir.dim());
            shape.push_back(std::max<weft::index>(basis.paths, 1)); // without paths there is one that is 0
            REQUIRE(shape == std::vector<std::int64_t>(dims.data(), dims.data() + dims.size()));

            std::map<std::vector<int>, double> elements;
            for (const auto& entry : basis.entries) {
                std::vector<int> place = basis.indices(entry);
                if (!scalar) place.insert(place.begin(), entry.component);
                place.push_back(static_cast<int>(entry.path));
                elements[place] = entry.value;
            }
            const auto places = g.get<std::int64_t, 2>("U_" + name + ".idx");
            auto values = Tensor<double, 1>::zeros({places.extent(0)});
            for (weft::index e = 0; e < places.extent(0); ++e) {
                std::vector<int> place;
                for (weft::index a = 0; a < places.extent(1); ++a) place.push_back(static_cast<int>(places(e, a)));
                values.mutable_data()[e] = elements[place];
            }
            g.compare("U_" + name + ".val", values);
            REQUIRE(static_cast<weft::index>(elements.size()) == values.size()); // no others
        }
    });
}

TEST_CASE("so3::SymmetricContraction: as in MACE", "[so3][golden]") {
    for_each_golden_case("equivariant-core", "mace_symmetric_contraction", [](GoldenCase& g) {
        const Contraction c(g);
        c.check_first_order<double>();
        c.check_first_order<float>();
        c.check_second_order();
    });
}

TEST_CASE("so3::SymmetricContraction: equivariant", "[so3]") {
    const so3::Irreps in("5x0e+5x1o+5x2e+5x3o"), out("5x0e+5x1o+5x2e");
    const auto in_double = seeded<double>(in, out, 3, 2);
    const auto in_float = seeded<float>(in, out, 3, 2);
    require_equivariant(in, out, [&]<class T>(const Tensor<T, 2>& x) -> Tensor<T, 2> {
        const auto element = some_elements(x.extent(0), 2);
        if constexpr (std::is_same_v<T, double>)
            return in_double(0.3 * x, element);
        else
            return in_float(0.3f * x, element);
    });
}

TEST_CASE("so3::SymmetricContraction: both layouts, channels around a packet, nodes apart, a missing element",
          "[so3]") {
    for (const weft::index channels : {1, 15, 16, 17, 40}) {
        const so3::Irreps in{{channels, {0, 1}}, {channels, {1, -1}}}, out{{channels, {1, -1}}, {channels, {1, 1}}};
        const auto layer = seeded<float>(in, out, 2, 4);
        const weft::index n = 37;
        const auto element = some_elements(n, 3);
        const auto rows = numbers<float, 2>({n, 4 * channels});
        auto stacked = Tensor<float, 3>::empty({n, channels, 4});
        for (weft::index i = 0; i < n; ++i)
            for (weft::index c = 0; c < channels; ++c)
                for (weft::index m = 0; m < 4; ++m)
                    stacked.mutable_data()[(i * channels + c) * 4 + m] = rows(i, m == 0 ? c : channels + 3 * c + m - 1);
        const Tensor<float, 2> y = layer(rows, element);
        REQUIRE(y.shape() == Extents<2>{n, 6 * channels});
        REQUIRE(same_bits(y, Tensor<float, 2>(layer(stacked, element))));
        // Two vectors never couple to 1e in a symmetric way.
        for (weft::index i = 0; i < n; ++i)
            for (weft::index c = 3 * channels; c < 6 * channels; ++c) REQUIRE(y(i, c) == 0);
        const Tensor<float, 2> one =
            layer(Tensor<float, 2>(slice(rows, 0, 20, 21)), Tensor<weft::index, 1>(slice(element, 0, 20, 21)));
        REQUIRE(same_bits(one, Tensor<float, 2>(slice(y, 0, 20, 21))));
    }
    const auto layer = seeded<double>("2x0e+2x1o", "2x0e", 3, 2);
    const Var x{numbers<double, 2>({0, 8})};
    const auto y = layer(x, Tensor<weft::index, 1>::zeros({0}));
    REQUIRE(y.shape() == Extents<2>{0, 2});
    weft::backward(y, Tensor<double, 2>::zeros({0, 2}));
    REQUIRE(x.grad().shape() == Extents<2>{0, 8});
}

TEST_CASE("so3::SymmetricContraction: gradients of many nodes; the same on any number of threads", "[so3]") {
    const so3::Irreps in("20x0e+20x1o+20x2e"), out("20x0e+20x1o");
    const auto layer = seeded<double>(in, out, 3, 3);
    const weft::index n = 705; // runs that end within a block of nodes, and next to one
    const auto element = some_elements(n, 3);
    const auto x = numbers<double, 2>({n, in.dim()}), dy = numbers<double, 2>({n, out.dim()}, 2);
    const auto w = numbers<double, 3>({3, layer.weight_paths(), 20}, 3);
    const auto gradients = [&](const Tensor<double, 2>& at, const Tensor<double, 3>& weights) {
        const Var vx{at};
        const Var vw{weights};
        weft::backward(layer(vx, element, vw), dy);
        return std::pair(vx.grad(), vw.grad());
    };
    require_thread_independent([&] { return Tensor<double, 2>(layer(x, element, w)); });
    require_thread_independent([&] { return gradients(x, w).first; });
    require_thread_independent([&] { return gradients(x, w).second; });

    // Along a direction, against differences.
    const auto value = [&](double step) {
        const auto moved = Tensor<double, 2>(x + step * numbers<double, 2>(x.shape(), 8));
        const auto weights = Tensor<double, 3>(w + step * numbers<double, 3>(w.shape(), 9));
        return Tensor<double, 0>(sum(layer(moved, element, weights) * dy)).item();
    };
    const auto [gx, gw] = gradients(x, w);
    const double slope = Tensor<double, 0>(sum(gx * numbers<double, 2>(x.shape(), 8))).item() +
                         Tensor<double, 0>(sum(gw * numbers<double, 3>(w.shape(), 9))).item();
    const double h = 1e-4, difference = (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h);
    REQUIRE(std::abs(slope - difference) < 1e-8 * std::abs(slope));
}

TEST_CASE("so3::SymmetricContraction: parameters are named as in MACE; higher orders", "[so3]") {
    auto layer = seeded<float>("2x0e+2x1o", "2x0e+2x1o", 3, 5);
    std::vector<std::string> names;
    weft::nn::for_each_parameter(layer, [&](std::string_view name, const auto& p) {
        names.emplace_back(name);
        REQUIRE(p.extent(0) == 5);
        REQUIRE(p.extent(2) == 2);
    });
    REQUIRE(names == std::vector<std::string>{"contractions.0.weights_max", "contractions.0.weights.0",
                                              "contractions.0.weights.1", "contractions.1.weights_max",
                                              "contractions.1.weights.0", "contractions.1.weights.1"});
    // Scalars alone: x^4 + x^3 + x^2 + x with weights of 1.
    const auto powers = seeded<double>("1x0e", "1x0e", 4, 1);
    REQUIRE(powers.weight_paths() == 4);
    const auto y = powers(Tensor<double, 2>::from({{2}, {-0.5}}), Tensor<weft::index, 1>::zeros({2}),
                          Tensor<double, 3>::ones({1, 4, 1}));
    REQUIRE(y(0, 0) == 30);
    REQUIRE(y(1, 0) == 0.0625 - 0.125 + 0.25 - 0.5);
    // Nothing couples scalars to a vector: a weight of 0 for each order.
    const auto nothing = seeded<double>("2x0e", "2x1o", 2, 1);
    REQUIRE(nothing.weight_paths() == 2);
    REQUIRE(nothing.contractions[0].weights_max.value()(0, 0, 1) == 0);
    const auto zero = nothing(numbers<double, 2>({3, 2}), Tensor<weft::index, 1>::zeros({3}));
    REQUIRE(same_bits(zero, Tensor<double, 2>::zeros({3, 6})));
    // The natural parity of all that is between: no 1e of four vectors.
    REQUIRE(so3::coupling_basis("1o", {1, 1}, 4).paths == 0);
    REQUIRE(so3::coupling_basis("1o", {1, 1}, 2).paths == 1);
}

TEST_CASE("so3::SymmetricContraction: errors", "[so3]") {
    const auto layer = seeded<float>("2x0e+2x1o", "2x1o", 2, 3);
    const auto element = some_elements(4, 3);
    REQUIRE(error_of([&] {
                (void)layer(numbers<float, 2>({4, 7}), element);
            }) == "weft: SymmetricContraction: x is [4, 7]: must be [N, 2, 4] or [N, 8], features of 2x0e+2x1o");
    REQUIRE_THAT(error_of([&] {
                     (void)layer(numbers<float, 3>({4, 4, 2}), element);
                 }),
                 ContainsSubstring("must be [N, 2, 4]"));
    REQUIRE_THAT(error_of([&] {
                     (void)layer(numbers<float, 2>({5, 8}), element);
                 }),
                 ContainsSubstring("each row must have an element"));
    REQUIRE_THAT(error_of([&] {
                     (void)layer(numbers<float, 2>({2, 8}), Tensor<std::int32_t, 1>::from({0, 3}));
                 }),
                 ContainsSubstring("element 3 of row 1: must be from 0 to below 3"));
    REQUIRE_THAT(error_of([&] {
                     (void)layer(numbers<float, 2>({4, 8}), element, numbers<float, 3>({3, 1, 2}));
                 }),
                 ContainsSubstring("the weights are [3, 1, 2]: must be [3, "));
    REQUIRE_THAT(error_of([] { seeded<float>("2x0e+3x1o", "2x0e", 2, 1); }), ContainsSubstring("same multiplicity"));
    REQUIRE_THAT(error_of([] { seeded<float>("2x0e", "2x0e", 0, 1); }), ContainsSubstring("at least 1"));
    REQUIRE_THAT(error_of([] { seeded<float>("", "2x0e", 1, 1); }), ContainsSubstring("must have a term"));
    REQUIRE_THAT(error_of([] { (void)so3::coupling_basis("20x0e", {0, 1}, 10); }), ContainsSubstring("below 2^40"));
}
