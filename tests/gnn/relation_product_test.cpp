// SPDX-License-Identifier: MIT
#include "../graph/random_graph.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/relation_product.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/linalg/segment_matmul.hpp>

using namespace weft;
using namespace weft_test;

namespace {

// Destinations of several tiles; the last relation and some destinations have no edge.
RelationGroups sample_groups(weft::index nodes, weft::index edges) {
    auto kinds = Tensor<std::int32_t, 1>::empty({edges});
    for (weft::index e = 0; e < edges; ++e) kinds(e) = static_cast<std::int32_t>(e * 7 % 3);
    return relation_groups(random_graph(nodes, edges), kinds, 4);
}

// The same by its definition: each relation's rows times its matrix, then the sum of a destination's groups.
auto by_parts(const RelationGroups& groups, const auto& h, const auto& w) {
    return sum_in(groups.owners, src(segment_matmul(h, groups.ptr, w)));
}

} // namespace

TEST_CASE("relation_product: a product and a sum, over all tiles", "[gnn]") {
    for (const weft::index nodes : {1, 511, 512, 513, 1600}) {
        INFO(nodes << " nodes");
        const auto groups = sample_groups(nodes, 3 * nodes);
        const auto h = numbers<double, 2>({groups.owners.num_src(), 6}, 1);
        const auto w = numbers<double, 3>({4, 6, 5}, 2);
        const auto dy = numbers<double, 2>({nodes, 5}, 3);
        const Var<double, 2> h1(h), h2(h);
        const Var<double, 3> w1(w), w2(w);
        const auto y1 = gnn::relation_product(groups, h1, w1);
        const auto y2 = by_parts(groups, h2, w2);
        require_near("out", y1.value(), y2.value(), 1e-12);
        require_near("out of tensors", Tensor<double, 2>(gnn::relation_product(groups, h, w)), y2.value(), 1e-12);
        backward(y1, dy);
        backward(y2, dy);
        require_near("h", h1.grad(), h2.grad(), 1e-12);
        require_near("w", w1.grad(), w2.grad(), 1e-12);
    }
}

TEST_CASE("relation_product: gradients to second order", "[gnn]") {
    const auto groups = sample_groups(5, 12);
    expect_grad<2>([&](const auto& h, const auto& w) { return gnn::relation_product(groups, h, w); },
                   numbers<double, 2>({groups.owners.num_src(), 3}, 1), numbers<double, 3>({4, 3, 2}, 2));
}

TEST_CASE("relation_product: the same bits on any number of threads", "[gnn]") {
    const auto groups = sample_groups(9000, 40000);
    const auto h = numbers<float, 2>({groups.owners.num_src(), 16}, 1), dy = numbers<float, 2>({9000, 16}, 3);
    const auto w = numbers<float, 3>({4, 16, 16}, 2);
    require_thread_independent([&] {
        const Var<float, 2> rows(h);
        const Var<float, 3> matrices(w);
        const auto y = gnn::relation_product(groups, rows, matrices);
        backward(y, dy);
        return Tensor<float, 2>(concat(0, y.value(), rows.grad(), reshape(matrices.grad(), Extents<2>{4 * 16, 16})));
    });
}

TEST_CASE("relation_product: errors say what does not fit", "[gnn]") {
    const auto groups = sample_groups(5, 12);
    const weft::index count = groups.owners.num_src();
    const auto w = Tensor<float, 3>::zeros({4, 3, 2});
    REQUIRE_THROWS_WITH(gnn::relation_product(groups, Tensor<float, 2>::zeros({count + 1, 3}), w),
                        ContainsSubstring("they must be"));
    REQUIRE_THROWS_WITH(gnn::relation_product(groups, Tensor<float, 2>::zeros({count, 4}), w),
                        ContainsSubstring("w is [4, 3, 2]"));
    REQUIRE_THROWS_WITH(
        gnn::relation_product(groups, Tensor<float, 2>::zeros({count, 3}), Tensor<float, 3>::zeros({3, 3, 2})),
        ContainsSubstring("w is [3, 3, 2]"));
}
