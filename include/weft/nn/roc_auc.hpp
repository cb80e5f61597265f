// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>

#include <algorithm>
#include <concepts>
#include <utility>
#include <vector>

namespace weft::inline WEFT_ABI::nn {

namespace detail {

template <class E, class Label, class Row>
double roc_auc_of(const E& x, const Tensor<Label, 1>& labels, const Row* subset, index count) {
    using Score = typename E::value_type;
    static_assert(E::rank == 1, "weft: roc_auc: scores are [N]: use squeeze for a column");
    const Tensor<Score, 1> scores = x.tensor();
    if (labels.size() != scores.size())
        throw error("roc_auc", "scores are {}, labels {}: there must be a label for each score",
                    weft::detail::shape_text(scores.shape()), weft::detail::shape_text(labels.shape()));
    std::vector<std::pair<Score, bool>> ranked;
    ranked.reserve(static_cast<std::size_t>(count));
    index positives = 0;
    for (index e = 0; e < count; ++e) {
        const index row = subset ? static_cast<index>(subset[e]) : e;
        if (row < 0 || row >= scores.size())
            throw error("roc_auc", "element {} of the subset is {}: must be in [0, {})", e, row, scores.size());
        const Score score = scores.data()[row];
        const Label label = labels.data()[row];
        if (label != Label(0) && label != Label(1))
            throw error("roc_auc", "label {} of row {}: must be 0 or 1", label, row);
        if (score != score) throw error("roc_auc", "the score of row {} is NaN: scores must have an order", row);
        ranked.emplace_back(score, label == Label(1));
        positives += label == Label(1);
    }
    const index negatives = count - positives;
    if (positives == 0 || negatives == 0)
        throw error("roc_auc", "{} labels are 1, {} are 0: both classes must be there", positives, negatives);
    std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    // Twice the number of pairs in order, a tie being half of one: an integer, so that nothing is rounded.
    index twice_ordered = 0, below = 0;
    for (auto first = ranked.begin(); first != ranked.end();) {
        const auto last =
            std::find_if(first, ranked.end(), [&](const auto& entry) { return entry.first != first->first; });
        const auto tied =
            static_cast<index>(std::count_if(first, last, [](const auto& entry) { return entry.second; }));
        const auto others = static_cast<index>(last - first) - tied;
        twice_ordered += tied * (2 * below + others);
        below += others;
        first = last;
    }
    return static_cast<double>(twice_ordered) / (2 * static_cast<double>(positives) * static_cast<double>(negatives));
}

} // namespace detail

/// The area under the receiver operating characteristic: the probability that a random row of class 1 has a higher
/// score than a random one of class 0, where equal scores count half. Scores [N] are in any monotone scale, logits or
/// probabilities; labels [N] are 0 or 1. Exact but for the last division. O(n log n). Source: Hanley and McNeil, The
/// meaning and use of the area under a receiver operating characteristic (ROC) curve (1982). Errors: sizes differ;
/// another label; a score is NaN; only one class.
template <Expression E, std::integral Label>
double roc_auc(const E& scores, const Tensor<Label, 1>& labels) {
    return detail::roc_auc_of(eval(scores), labels, static_cast<const Label*>(nullptr), labels.size());
}
/// The same of the rows `subset`.
template <Expression E, std::integral Label, std::integral Row>
double roc_auc(const E& scores, const Tensor<Label, 1>& labels, const Tensor<Row, 1>& subset) {
    return detail::roc_auc_of(eval(scores), labels, subset.data(), subset.size());
}

} // namespace weft::inline WEFT_ABI::nn
