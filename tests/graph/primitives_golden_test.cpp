// SPDX-License-Identifier: MIT
// The kernels of message passing against PyTorch: scatter, edge softmax, weighted sums and scalar products per edge.
// Which one a case is, its options and its tensors say.
#include "../golden.hpp"

#include <weft/core/combine.hpp>
#include <weft/grad/backward.hpp>
#include <weft/graph/edge_softmax.hpp>
#include <weft/graph/row_sum.hpp>

using namespace weft;
using namespace weft_test;

namespace {

bool is_primitive(const GoldenCase& golden) { return golden.has("out"); }

template <class T, int N>
void compare_with_gradients(GoldenCase& golden, const Var<T, N>& y) {
    golden.compare("out", y.value());
    backward(y, golden.get<T, N>("r.out"));
}

Reduce reduction(const std::string& name) {
    if (name == "mean") return Reduce::mean;
    if (name == "max") return Reduce::max;
    if (name == "min") return Reduce::min;
    if (name == "mul") return Reduce::mul;
    REQUIRE(name == "sum");
    return Reduce::sum;
}

template <class T>
void run_primitive(GoldenCase& golden) {
    const std::string op = golden.option<std::string>("op", "");
    if (op == "scatter") {
        Var x = golden.get<T, 2>("src");
        compare_with_gradients<T, 2>(golden, scatter(x, golden.get<std::int32_t, 1>("index"), golden.shape("out")[0],
                                                     reduction(golden.option<std::string>("reduce", "sum"))));
        golden.compare("g.src", x.grad());
    } else if (golden.has("index")) {
        Var s = golden.get<T, 2>("src");
        const auto to = golden.get<std::int32_t, 1>("index");
        const weft::index nodes = to.size() ? *std::max_element(to.data(), to.data() + to.size()) + 1 : 0;
        compare_with_gradients<T, 2>(golden, softmax_in(Graph(to, to, nodes, nodes), edge(s)));
        golden.compare("g.src", s.grad());
    } else if (golden.has("q")) {
        Var q = golden.get<T, 2>("q");
        Var k = golden.get<T, 2>("k");
        const Graph g(golden.get<std::int32_t, 2>("edge_index"), k.extent(0), q.extent(0));
        compare_with_gradients<T, 1>(golden, edges(g, row_dot(dst(q), src(k))));
        golden.compare("g.q", q.grad());
        golden.compare("g.k", k.grad());
    } else {
        Var x = golden.get<T, 2>("x");
        Var w = golden.get<T, 1>("edge_weight");
        const Graph g(golden.get<std::int32_t, 2>("edge_index"), x.extent(0), golden.shape("out")[0]);
        compare_with_gradients<T, 2>(golden, sum_in(g, src(x) * edge(w)));
        golden.compare("g.x", x.grad());
        golden.compare("g.edge_weight", w.grad());
    }
}

} // namespace

TEST_CASE("primitives: golden, double", "[graph][golden]") {
    for_each_golden_case("gnn-core", "ops", run_primitive<double>, is_primitive);
}
TEST_CASE("primitives: golden, float", "[graph][golden]") {
    for_each_golden_case("gnn-core", "ops", run_primitive<float>, is_primitive);
}
