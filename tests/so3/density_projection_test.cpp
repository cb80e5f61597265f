// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/core/views.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/so3/convolution.hpp>
#include <weft/so3/density_projection.hpp>

using namespace weft_test;
using weft::Graph, weft::Tensor;
namespace so3 = weft::so3;

namespace {

Tensor<std::int32_t, 1> indices(weft::index n, std::int32_t below) {
    auto t = Tensor<std::int32_t, 1>::empty({n});
    for (weft::index i = 0; i < n; ++i) t.mutable_data()[i] = static_cast<std::int32_t>(i * 7 % below);
    return t;
}
Graph some_graph(weft::index nodes, weft::index edges) {
    auto to = Tensor<std::int32_t, 1>::empty({edges});
    for (weft::index e = 0; e < edges; ++e)
        to.mutable_data()[e] = static_cast<std::int32_t>(e * e % (nodes - 1)); // the last one has no edges
    return {indices(edges, static_cast<std::int32_t>(nodes)), to, nodes, nodes};
}

} // namespace

TEST_CASE("density_projection: sums of products by kind", "[so3]") {
    for (const weft::index functions : {1, 5, 16, 70})
        for (const int lmax : {0, 2, 3}) {
            INFO(functions << " functions, lmax " << lmax);
            const weft::index nodes = 7, edges = 40, rows = 9, kinds = 3, dim = (lmax + 1) * (lmax + 1);
            const Graph g = some_graph(nodes, edges);
            const auto kind = indices(edges, 3), row = indices(edges, 9);
            const auto radial = numbers<double, 2>({rows, functions}, 1), y = numbers<double, 2>({edges, dim}, 2);
            const Tensor<double, 2> made = so3::density_projection(g, kind, kinds, radial, y, row);
            auto expected = Tensor<double, 2>::zeros({nodes, kinds * functions * dim});
            for (weft::index e = 0; e < edges; ++e)
                for (int l = 0; l <= lmax; ++l)
                    for (weft::index k = 0; k < functions; ++k)
                        for (int m = 0; m < 2 * l + 1; ++m)
                            expected
                                .mutable_data()[g.destinations()(e) * expected.extent(1) + kinds * functions * l * l +
                                                (kind(e) * functions + k) * (2 * l + 1) + m] +=
                                radial(row(e), k) * y(e, l * l + m);
            for (weft::index i = 0; i < made.size(); ++i)
                REQUIRE(std::abs(made.data()[i] - expected.data()[i]) < 1e-12);
        }
}

TEST_CASE("density_projection: gradients", "[so3]") {
    const Graph g = some_graph(5, 14);
    const auto kind = indices(14, 2), row = indices(14, 6);
    weft::expect_grad([&](const auto& r, const auto& y) { return so3::density_projection(g, kind, 2, r, y, row); },
                      numbers<double, 2>({6, 19}, 1), numbers<double, 2>({14, 9}, 2));
    weft::expect_grad([&](const auto& r, const auto& y) { return so3::density_projection(g, kind, 2, r, y); },
                      numbers<double, 2>({14, 3}, 1), numbers<double, 2>({14, 4}, 2));
}

TEST_CASE("convolution: edges that share radial rows", "[so3]") {
    const Graph g = some_graph(6, 20);
    const auto row = indices(20, 8);
    const so3::ConvolutionTensorProduct product("3x0e+2x1o", "0e+1o", so3::Irreps("0e+1o"));
    const auto x = numbers<double, 2>({6, 9}, 1), y = numbers<double, 2>({20, 4}, 2);
    const auto hidden = numbers<double, 2>({8, 5}, 3), matrix = numbers<double, 2>({5, product.weight_numel()}, 4);
    const Tensor<double, 2> shared = so3::convolution(product, g, x, y, hidden, matrix, row);
    const Tensor<double, 2> own = so3::convolution(product, g, x, y, Tensor<double, 2>(gather(hidden, row)), matrix);
    REQUIRE(std::equal(own.data(), own.data() + own.size(), shared.data()));
    weft::expect_grad([&](const auto& a, const auto& b, const auto& h,
                          const auto& w) { return so3::convolution(product, g, a, b, h, w, row); },
                      x, y, hidden, matrix);
}

TEST_CASE("density_projection: the same on any number of threads; errors", "[so3]") {
    const Graph g = some_graph(300, 9000);
    const auto kind = indices(9000, 3);
    const auto r = numbers<float, 2>({9000, 24}, 1), y = numbers<float, 2>({9000, 16}, 2);
    const auto with_threads = [&](int threads) {
        weft::set_thread_count(threads);
        const Tensor<float, 2> result = so3::density_projection(g, kind, 3, r, y);
        weft::set_thread_count(0);
        return result;
    };
    const auto one = with_threads(1), three = with_threads(3);
    REQUIRE(std::equal(one.data(), one.data() + one.size(), three.data()));

    REQUIRE_THROWS_WITH(so3::density_projection(g, kind, 2, r, y), ContainsSubstring("a kind is 2"));
    REQUIRE_THROWS_WITH(so3::density_projection(g, kind, 3, numbers<float, 2>({10, 4}), y), ContainsSubstring("rows"));
    REQUIRE_THROWS_WITH(so3::density_projection(g, kind, 3, r, numbers<float, 2>({9000, 5})),
                        ContainsSubstring("degrees"));
    REQUIRE_THROWS_WITH(so3::density_projection(g, kind, 3, numbers<float, 2>({10, 4}), y, indices(9000, 11)),
                        ContainsSubstring("an edge has row 10"));
}
