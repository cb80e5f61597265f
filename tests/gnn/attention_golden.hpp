// SPDX-License-Identifier: MIT
#pragma once

#include "layer_golden.hpp"

namespace weft_test {

/// Compares an attention layer (detail::AttentionCalls) with a case: alpha, the graph used, the result, all gradients.
template <class T, class L>
void compare_attention_layer(GoldenCase& golden, const weft::Graph& g, L& conv) {
    using weft::Tensor, weft::Var;
    load_parameters<T>(golden, conv);
    const auto x = golden_input<T, 2>(golden, "x"), e = golden_input<T, 2>(golden, "edge_attr");
    const auto x_src = golden_input<T, 2>(golden, "x_src"), x_dst = golden_input<T, 2>(golden, "x_dst");
    const auto check = [&](const auto& inferred, const auto& trained) {
        if (golden.has("edge_index_used")) golden.compare("edge_index_used", inferred.graph.edge_index());
        if (golden.has("alpha")) golden.compare("alpha", Tensor<T, 2>(inferred.alpha));
        compare_output(golden, Tensor<T, 2>(inferred.out), Var<T, 2>(trained));
    };
    if (x_src && e)
        check(conv.bipartite_with_attention(g, x_src->value(), x_dst->value(), e->value()),
              conv.bipartite(g, *x_src, *x_dst, *e));
    else if (x_src)
        check(conv.bipartite_with_attention(g, x_src->value(), x_dst->value()), conv.bipartite(g, *x_src, *x_dst));
    else if (e)
        check(conv.with_attention(g, x->value(), e->value()), conv(g, *x, *e));
    else
        check(conv.with_attention(g, x->value()), conv(g, *x));
    compare_input_gradient(golden, "x", x);
    compare_input_gradient(golden, "x_src", x_src);
    compare_input_gradient(golden, "x_dst", x_dst);
    compare_input_gradient(golden, "edge_attr", e);
    compare_parameter_gradients(golden, conv);
}

} // namespace weft_test
