// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/node_features.hpp>
#include <weft/graph/edge_order.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/linalg/matmul.hpp>

#include <algorithm>

namespace weft::inline WEFT_ABI::gnn {

/// What the difference of the flows between two clusters is divided by.
enum class ImbalanceNormalization {
    vol_sum, ///< half the sum of their volumes
    vol_max, ///< the larger volume
    plain    ///< the sum of the two flows
};

/// Options of `imbalance_loss`.
struct ImbalanceOptions {
    ImbalanceNormalization normalization = ImbalanceNormalization::vol_sum;
    index beta = 3; ///< how many pairs of clusters count, those of the largest imbalance
};

/// The loss of DIGRAC (He et al., arXiv 2106.05194), which wants edges between clusters to go one way: of probabilities
/// P [N, K] of the clusters and edge weights w [E], with the flows W = P^T A P and the volumes 1^T (A + A^T) P,
/// 1 - (sum of the beta largest |W_kl - W_lk| / normalization over k < l) / beta. Pairs with equal flows count as 0.
/// 1e-8 is added to volumes. O(E K + N K^2). Errors: the graph is not square; P or w do not fit; beta < 1.
template <Expression P, Expression W>
auto imbalance_loss(const Graph& g, const P& probabilities, const W& edge_weight,
                    const ImbalanceOptions& options = {}) {
    using T = typename P::value_type;
    weft::detail::check_edge_rows("imbalance_loss", g, edge_weight, "edge_weight");
    if (options.beta < 1) throw error("imbalance_loss", "beta is {}: must be at least 1", options.beta);
    const auto p = detail::checked_features<W>("imbalance_loss", "P", probabilities, g.num_nodes(), "nodes",
                                               probabilities.shape()[1]);
    const auto weight = eval(edge_weight);
    const index clusters = p.extent(1);
    const auto flow = matmul(transpose(p), sum_in(g.reverse(), src(p) * edge(weight)));
    const auto degree =
        eval(scatter(weight, g.sources(), g.num_nodes()) + scatter(weight, g.destinations(), g.num_nodes()));
    const auto volume = sum<0>(unsqueeze(degree, 1) * p);

    std::vector<index> first, second; // pairs k < l with different flows
    for (index k = 0; k < clusters; ++k)
        for (index l = k + 1; l < clusters; ++l)
            if (flow.data()[k * clusters + l] != flow.data()[l * clusters + k]) {
                first.push_back(k);
                second.push_back(l);
            }
    const auto k = Tensor<index, 1>::from(first), l = Tensor<index, 1>::from(second);
    const auto flows = flatten(flow);
    const auto there = gather(flows, k * clusters + l), back = gather(flows, l * clusters + k);
    const auto volume_k = gather(volume, k), volume_l = gather(volume, l);
    const auto divisor = [&] {
        switch (options.normalization) {
        case ImbalanceNormalization::vol_sum:
            return eval((volume_k + volume_l + T(1e-8)) * T(0.5));
        case ImbalanceNormalization::vol_max:
            return eval(maximum(volume_k, volume_l) + T(1e-8));
        default:
            return eval(there + back);
        }
    }();
    const auto imbalance = eval(abs(there - back) / divisor);

    std::vector<index> order(first.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<index>(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](index a, index b) { return imbalance.data()[a] > imbalance.data()[b]; });
    order.resize(std::min(order.size(), static_cast<std::size_t>(options.beta)));
    return eval(T(1) - sum(gather(imbalance, Tensor<index, 1>::from(order))) / T(options.beta));
}
/// The same with every edge of weight 1.
template <Expression P>
auto imbalance_loss(const Graph& g, const P& probabilities, const ImbalanceOptions& options = {}) {
    return imbalance_loss(g, probabilities, Tensor<typename P::value_type, 1>::ones({g.num_edges()}), options);
}

} // namespace weft::inline WEFT_ABI::gnn
