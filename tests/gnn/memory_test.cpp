// SPDX-License-Identifier: MIT
// The memory that layers take, by counting what the program asks of the system. The pool keeps what it has, so the
// largest amount since it was emptied is what it needed at most.
#include "../counted_memory.hpp"
#include "../graph/random_graph.hpp"
#include "weft_test.hpp"

#include <weft/core/ops.hpp>
#include <weft/core/random.hpp>
#include <weft/gnn/dagnn.hpp>
#include <weft/grad/backward.hpp>
#include <weft/graph/edge_softmax.hpp>

namespace {

using namespace weft;
using weft_test::peak_of;

template <int N>
Tensor<float, N> normal(const Extents<N>& extents, std::uint64_t seed) {
    auto t = Tensor<float, N>::empty(extents);
    Generator generator{seed};
    fill_normal(generator, t.mutable_data(), t.size(), 0.0f, 1.0f);
    return t;
}

} // namespace

TEST_CASE("memory: counted as it is taken and given back", "[gnn]") {
    constexpr weft::index size = 1 << 18;
    const double one = peak_of([] { (void)Tensor<float, 1>::zeros({size}); });
    REQUIRE(one >= 4.0 * size);
    REQUIRE(one < 4.0 * size + 65536);
    const double two = peak_of([] {
        const auto a = Tensor<float, 1>::zeros({size}), b = Tensor<float, 1>::zeros({size});
        (void)Tensor<float, 1>(a + b);
    });
    REQUIRE(two >= 12.0 * size);
}

TEST_CASE("memory: attention and its backward take nothing of edges x heads x channels", "[gnn]") {
    constexpr weft::index N = 2000, E = 20000, H = 8, C = 8;
    const Graph g = weft_test::random_graph(N, E);
    const auto z = normal<3>({N, H, C}, 1), dy = normal<3>({N, H, C}, 2);
    const auto a = normal<2>({N, H}, 3), b = normal<2>({N, H}, 4);
    const auto attention = [&](const auto& from, const auto& to, const auto& values) {
        return sum_in(g, softmax_in(leaky_relu(src(from) + dst(to), 0.2f)) * src(values));
    };
    const double constant = 256 * 1024;
    const double inference = peak_of([&] { (void)Tensor<float, 3>(attention(a, b, z)); });
    INFO("inference took " << inference << " bytes");
    REQUIRE(inference < 1.3 * double(N * H * C) * sizeof(float) + constant);
    const double training = peak_of([&] {
        const Var<float, 2> va(a), vb(b);
        const Var<float, 3> vz(z);
        const Var y = attention(va, vb, vz);
        backward(y, Tensor<float, 3>(1.0f * dy)); // of memory of its own, as in a network
        REQUIRE((va.has_grad() && vb.has_grad() && vz.has_grad()));
    });
    const double bound = 1.3 * double(4 * N * H * C + 2 * E * H) * sizeof(float) + constant;
    INFO("training took " << training << " bytes, the bound is " << bound);
    REQUIRE(bound < double(E * H * C) * sizeof(float));
    REQUIRE(training < bound);
}

TEST_CASE("memory: AdaptivePropagation that recomputes keeps a block of hops, not all", "[gnn]") {
    constexpr weft::index N = 2000, C = 16, K = 64;
    const Graph g = weft_test::random_graph(N, 6000);
    const auto x = normal<2>({N, C}, 1), dy = normal<2>({N, C}, 2);
    gnn::AdaptivePropagation<float> prop(C, K);
    const auto training = [&](bool recompute) {
        prop.recompute = recompute;
        return peak_of([&] {
            const Var<float, 2> vx(x);
            backward(Var<float, 2>(prop(g, vx)), Tensor<float, 2>(1.0f * dy));
        });
    };
    const double all = training(false), little = training(true);
    INFO("all hops: " << all << " bytes, in blocks: " << little);
    REQUIRE(all > double(2 * K * N * C) * sizeof(float));
    REQUIRE(little < all / 3);
}
