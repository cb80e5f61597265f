// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/jumping_knowledge.hpp>

using namespace weft;
using namespace weft_test;

namespace {

template <class T>
gnn::JumpingKnowledge<T> golden_jump(const GoldenCase& golden) {
    const auto mode = golden.option<std::string>("mode", "");
    if (mode == "cat") return gnn::JumpingKnowledge<T>(gnn::Jump::cat);
    if (mode == "max") return gnn::JumpingKnowledge<T>(gnn::Jump::max);
    REQUIRE(mode == "lstm");
    gnn::JumpingKnowledge<T> jump(gnn::Jump::lstm, golden.option<weft::index>("channels", 0),
                                  golden.option<weft::index>("num_layers", 0));
    REQUIRE(jump.lstm->forward.hidden() == golden.option<weft::index>("hidden", 0));
    return jump;
}

template <class T>
void run(GoldenCase& golden) {
    auto jump = golden_jump<T>(golden);
    load_parameters<T>(golden, jump);
    std::vector<Tensor<T, 2>> values;
    std::vector<Var<T, 2>> leaves;
    for (std::size_t l = 0; golden.has("x" + std::to_string(l)); ++l) {
        values.push_back(golden.get<T, 2>("x" + std::to_string(l)));
        leaves.emplace_back(values.back());
    }
    compare_output(golden, Tensor<T, 2>(jump(values)), Var<T, 2>(jump(leaves)));
    for (std::size_t l = 0; l < leaves.size(); ++l) compare_gradient(golden, "x" + std::to_string(l), leaves[l]);
    compare_parameter_gradients(golden, jump);
}

/// On x, 2 x + 1 and x^2.
struct Jumping {
    std::string name;
    gnn::Jump mode;
    weft::index in = 3, out = 0, in_dst = -1, edge_width = 0;
    static constexpr bool positive_edges = false;

    template <class T>
    auto make() const {
        return gnn::JumpingKnowledge<T>(mode, in, 3);
    }
    template <class M, class X>
    X apply(const M& module, const Graph&, const X& x, const X&, const X&) const {
        return module(std::vector<X>{x, X(x + x + 1), X(x * x)});
    }
};

const std::vector<Jumping> modes{{"cat", gnn::Jump::cat}, {"max", gnn::Jump::max}, {"lstm", gnn::Jump::lstm}};

} // namespace

TEST_CASE("jumping_knowledge: golden, double", "[gnn][golden]") {
    for_each_golden_case("gnn-core", "jumping_knowledge", run<double>);
}
TEST_CASE("jumping_knowledge: golden, float", "[gnn][golden]") {
    for_each_golden_case("gnn-core", "jumping_knowledge", run<float>);
}

TEST_CASE("jumping_knowledge: gradients, order of nodes, batches, threads, widths, no nodes", "[gnn]") {
    for_each_layer(modes, [](const Jumping& mode) {
        check_gradients(mode);
        check_node_permutation(mode);
        check_batch(mode);
        check_threads(mode);
        check_widths(mode);
        check_empty(mode);
    });
}

TEST_CASE("jumping_knowledge: any number of results, of any kind, as arguments or as a list", "[gnn]") {
    std::vector<Tensor<float, 2>> results;
    for (unsigned l = 0; l < 7; ++l) {
        results.push_back(numbers<float, 2>({4, 2 + static_cast<weft::index>(l)}, l));
        const Tensor<float, 2> joined = gnn::JumpingKnowledge<float>(gnn::Jump::cat)(results);
        REQUIRE(joined.shape() == Extents<2>{4, static_cast<weft::index>((l + 1) * (l + 4)) / 2});
        weft::index at = 0;
        for (const auto& part : results) {
            REQUIRE(same_bits(Tensor<float, 2>(slice(joined, 1, at, at + part.extent(1))), part));
            at += part.extent(1);
        }
    }
    const gnn::JumpingKnowledge<float> largest(gnn::Jump::max);
    const auto a = results[0], b = numbers<float, 2>({4, 2}, 20);
    const Var<float, 2> y = largest(a, Var{b}, a * 2);
    REQUIRE(same_bits(y.value(), largest(std::vector<Tensor<float, 2>>{a, b, a * 2})));
}

TEST_CASE("jumping_knowledge: errors name the argument", "[gnn]") {
    using Jump = gnn::JumpingKnowledge<float>;
    const auto a = Tensor<float, 2>::zeros({3, 4}), b = Tensor<float, 2>::zeros({3, 5});
    REQUIRE_THROWS_WITH(Jump(gnn::Jump::lstm), ContainsSubstring("channels and layers"));
    REQUIRE_THROWS_WITH(Jump(gnn::Jump::lstm, 0, 3), ContainsSubstring("channels is 0"));
    REQUIRE_THROWS_WITH(Jump(gnn::Jump::lstm, 5, 2)(a, a), ContainsSubstring("x is [3, 4]: it must be [N, 5]"));
    REQUIRE_THROWS_WITH(Jump(gnn::Jump::max)(a, b), ContainsSubstring("result 0 is [3, 4], result 1 is [3, 5]"));
    REQUIRE_THROWS_WITH(Jump(gnn::Jump::max)(std::vector<Tensor<float, 2>>{}), ContainsSubstring("at least one"));
    REQUIRE_THROWS_WITH(Jump(gnn::Jump::cat)(a, Tensor<float, 2>::zeros({2, 4})), ContainsSubstring("result 1"));
}
