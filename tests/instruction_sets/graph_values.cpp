// SPDX-License-Identifier: MIT
#include "kernel_values.hpp"

#include <weft/core.hpp>
#include <weft/grad.hpp>
#include <weft/graph.hpp>

using namespace weft;

namespace {

Graph some_graph() {
    constexpr weft::index nodes = 41, edges = 230;
    Generator generator{40};
    auto ends = Tensor<std::int32_t, 2>::empty({2, edges});
    fill_integers(generator, ends.mutable_data(), ends.size(), 0, nodes);
    return Graph(ends, nodes);
}

template <class T>
void add_edge_reductions(KernelValues& values) {
    const Graph g = some_graph();
    for (const weft::index width : {1, 7, 16, 37}) {
        const auto name = [&](const char* what) { return std::string(what) + "_" + std::to_string(width); };
        const auto x = numbers<T, 2>({g.num_src(), width}, 41), y = numbers<T, 2>({g.num_dst(), width}, 42);
        const auto w = numbers<T, 1>({g.num_edges()}, 43);
        const Var<T, 2> a{x}, b{x}, c{y}, d{x};
        const Var<T, 1> v{w};
        values.add_with_gradients(name("spmm"), Var<T, 2>(sum_in(g, src(a) * edge(v))), a, v);
        values.add_with_gradients(name("sum_in"), Var<T, 2>(sum_in(g, silu(src(b) + dst(c)))), b, c);
        values.add_with_gradients(name("max_in"), Var<T, 2>(max_in(g, src(d))), d);
    }
    const Var<T, 2> a{numbers<T, 2>({g.num_src(), 3}, 44)}, b{numbers<T, 2>({g.num_dst(), 3}, 45)};
    const Var<T, 3> z{numbers<T, 3>({g.num_src(), 3, 11}, 46)};
    values.add_with_gradients("softmax_in", Var<T, 3>(sum_in(g, softmax_in(leaky_relu(src(a) + dst(b), 0.2)) * src(z))),
                              a, b, z);
    values.add("mean_in", Tensor<T, 2>(mean_in(g, src(a.value()))));
    values.add("edges", Tensor<T, 2>(edges(g, src(a.value()) * dst(b.value()))));
    values.add("scatter",
               Tensor<T, 2>(scatter(eval(gather(a.value(), g.sources())), g.destinations(), g.num_dst(), Reduce::sum)));
    const auto d = dual_numbers<T, 2>({g.num_src(), 19}, 47);
    values.add("dual_sum_in", Tensor<Dual<T>, 2>(sum_in(g, silu(src(d)))));
}

} // namespace

void add_graph_values(KernelValues& values) {
    add_edge_reductions<float>(values);
    add_edge_reductions<double>(values);
    const Graph g = some_graph();
    values.add("sources", g.sources());
    values.add("destinations", g.destinations());
}
