// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "so3/derivatives.hpp"

#include <weft/core/reduce.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/so3/gaunt_convolution.hpp>
#include <weft/so3/gaunt_tensor_product.hpp>
#include <weft/so3/spherical_harmonics.hpp>
#include <weft/so3/wigner_d.hpp>

using namespace weft_test;
using weft::Dual, weft::Extents, weft::Graph, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::GauntConvolution;

namespace {

/// By the product with all components of the filter, edge by edge.
template <class X, class R, class H>
auto unaligned(int l1, int l2, int l3, const Graph& g, const X& x, const R& r, const H& h) {
    const auto y = so3::spherical_harmonics(so3::degrees_up_to(l2), r, {.normalization = so3::Normalization::norm});
    const auto sources = weft::eval(gather(x, g.sources()));
    const auto messages =
        so3::GauntTensorProduct(l1, l2, l3)(sources, weft::eval(so3::degree_weights(h) * unsqueeze(y, 1)));
    return weft::eval(sum_in(g, edge(messages)));
}

Graph random_graph(weft::index sources, weft::index destinations, weft::index edges) {
    std::vector<std::pair<weft::index, weft::index>> ends;
    for (weft::index e = 0; e < edges; ++e) ends.push_back({e * 7 % sources, e * e % destinations});
    return Graph::from_edges(ends, sources, destinations);
}

template <class T, int N>
void near(const Tensor<T, N>& a, const Tensor<T, N>& b, double tolerance) {
    REQUIRE(a.shape() == b.shape());
    const auto close = [&](double p, double q) { return std::abs(p - q) <= tolerance * (1 + std::abs(q)); };
    for (weft::index i = 0; i < a.size(); ++i) {
        if constexpr (!std::is_floating_point_v<T>) {
            REQUIRE(close(a.data()[i].value, b.data()[i].value));
            REQUIRE(close(a.data()[i].tangent, b.data()[i].tangent));
        } else {
            REQUIRE(close(a.data()[i], b.data()[i]));
        }
    }
}

} // namespace

TEST_CASE("GauntConvolution: as in the reference", "[so3][golden]") {
    for_each_golden_group("gaunt-tensor-product", "convolution", [&](GoldenCase& g) {
        const auto l = g.get<std::int64_t, 1>("L");
        const weft::index edges = l(3);
        std::vector<std::pair<weft::index, weft::index>> ends;
        for (weft::index e = 0; e < edges; ++e) ends.push_back({e, e});
        const Graph graph = Graph::from_edges(ends, edges, edges);
        const GauntConvolution convolution(static_cast<int>(l(0)), static_cast<int>(l(1)), static_cast<int>(l(2)));
        check_derivatives(
            g, [&](const auto& x, const auto& r, const auto& h) { return convolution(graph, x, r, h); }, Input<3>{"x"},
            Input<2>{"r"}, Input<3>{"h"});
    });
}

TEST_CASE("GauntConvolution: the product with the whole filter, and its derivatives", "[so3]") {
    using D = Dual<double>;
    for (const auto& [l1, l2, l3, channels] : {std::array{0, 0, 0, 3},
                                               {0, 2, 2, 1},
                                               {2, 0, 1, 4},
                                               {3, 3, 3, 20},
                                               {1, 4, 5, 9},
                                               {5, 2, 1, 7},
                                               {6, 6, 6, 3}}) {
        INFO(l1 << ", " << l2 << ", " << l3 << ", " << channels << " channels");
        const Graph g = random_graph(11, 13, 41); // not every node has edges
        const auto dual = [&]<std::size_t K>(const weft::index(&shape)[K], unsigned seed) {
            Extents<static_cast<int>(K)> extents;
            std::copy_n(shape, K, extents.begin());
            return weft_test::detail::with_tangent(numbers<double, static_cast<int>(K)>(extents, seed),
                                                   numbers<double, static_cast<int>(K)>(extents, seed + 50));
        };
        const auto x = dual({11, channels, so3::components_up_to(l1)}, 1);
        auto r = dual({41, 3}, 2);
        const auto h = dual({41, channels, l2 + 1}, 3);
        for (const auto& [e, at] : {std::pair{3, std::array{0., 2., 0.}},
                                    {4, {0, -1.5, 0}},
                                    {5, {0, 0, -1}},
                                    {6, {1, 0, 0}},
                                    {7, {1e-9, -1, 1e-9}}})
            for (std::size_t i = 0; i < 3; ++i) r.mutable_data()[3 * e + static_cast<weft::index>(i)].value = at[i];
        const auto dy = dual({13, channels, so3::components_up_to(l3)}, 4);
        const Var<D, 3> vx{x}, wx{x}, vh{h}, wh{h};
        const Var<D, 2> vr{r}, wr{r};
        const auto y = GauntConvolution(l1, l2, l3)(g, vx, vr, vh);
        const auto z = unaligned(l1, l2, l3, g, wx, wr, wh);
        near(y.value(), z.value(), 1e-11);
        weft::backward(y, dy);
        weft::backward(z, dy);
        near(vx.grad(), wx.grad(), 1e-11);
        near(vh.grad(), wh.grad(), 1e-11);
        near(vr.grad(), wr.grad(), 1e-10);
    }
}

TEST_CASE("GauntConvolution: edges without a direction, turns, float, threads, errors", "[so3]") {
    const GauntConvolution convolution(2, 3, 2);
    const Graph g = random_graph(11, 13, 41);
    const auto x = numbers<double, 3>({11, 5, 9}, 1);
    const auto h = numbers<double, 3>({41, 5, 4}, 3);
    auto r = numbers<double, 2>({41, 3}, 2);
    {
        const auto rotation = so3::Rotation::from_angles({1, 2, 3}) * so3::Rotation::inversion();
        const auto turned = [&]<int N>(const Tensor<double, N>& t, int lmax) {
            const auto d = so3::wigner_d(so3::Irreps::spherical_harmonics(lmax), rotation);
            const weft::index dim = d.extent(0);
            return Tensor<double, N>(reshape(
                matmul(Tensor<double, 2>(reshape(t, Extents<2>{t.size() / dim, dim})), transpose(d)), t.shape()));
        };
        const Tensor<double, 2> turned_r = matmul(r, transpose(rotation.to_tensor()));
        near(Tensor<double, 3>(convolution(g, turned(x, 2), turned_r, h)),
             turned(Tensor<double, 3>(convolution(g, x, r, h)), 2), 1e-12);
    }
    for (const double length : {0., 1e-13})
        for (weft::index i = 0; i < 3; ++i) r.mutable_data()[3 * (length == 0 ? 8 : 9) + i] = length / 2;
    const Var<double, 3> vx{x}, vh{h};
    const Var<double, 2> vr{r};
    auto only_constant = h;
    for (const weft::index e : {8, 9})
        for (weft::index c = 0; c < 5; ++c)
            for (weft::index l = 1; l < 4; ++l) only_constant.mutable_data()[(e * 5 + c) * 4 + l] = 0;
    const auto y = convolution(g, vx, vr, vh);
    near(y.value(), Tensor<double, 3>(convolution(g, x, r, only_constant)), 1e-14);
    weft::backward(y, numbers<double, 3>(y.shape(), 7));
    for (weft::index i = 24; i < 30; ++i) REQUIRE(vr.grad().data()[i] == 0);
    for (const weft::index e : {8, 9}) {
        REQUIRE(vh.grad()(e, 0, 0) != 0);
        REQUIRE(vh.grad()(e, 0, 1) == 0);
    }

    const auto xf = numbers<float, 3>({300, 18, 9}, 1), hf = numbers<float, 3>({5000, 18, 4}, 3);
    const auto rf = numbers<float, 2>({5000, 3}, 2);
    const Graph large = random_graph(300, 200, 5000);
    require_thread_independent([&] {
        const Var<float, 3> a{xf}, c{hf};
        const Var<float, 2> b{rf};
        weft::backward(convolution(large, a, b, c), numbers<float, 3>({200, 18, 9}, 4));
        return weft::eval(concat(0, reshape(a.grad(), {a.grad().size()}), reshape(b.grad(), {b.grad().size()}),
                                 reshape(c.grad(), {c.grad().size()})));
    });
    REQUIRE(convolution(Graph::from_edges({}, 0, 2), Tensor<float, 3>::zeros({0, 4, 9}),
                        Tensor<float, 2>::zeros({0, 3}), Tensor<float, 3>::zeros({0, 4, 4}))
                .shape() == Extents<3>{2, 4, 9});
    REQUIRE(
        convolution(large, Tensor<float, 3>::zeros({300, 0, 9}), rf, Tensor<float, 3>::zeros({5000, 0, 4})).size() ==
        0);
    REQUIRE(error_of([&] { (void)convolution(g, h, r, h); }) ==
            "weft: GauntConvolution: x is [41, 5, 4]: must be [11, 5, 9]");
    REQUIRE(error_of([&] { (void)convolution(g, x, r, x); }) ==
            "weft: GauntConvolution: h is [11, 5, 9]: must be [41, 5, 4]");
    REQUIRE_THAT(error_of([] { GauntConvolution(1, 1, -1); }), ContainsSubstring("must not be negative"));
}
