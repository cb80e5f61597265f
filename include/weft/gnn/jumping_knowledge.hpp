// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>
#include <weft/core/softmax.hpp>
#include <weft/nn/lstm.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// How the results of several layers become one.
enum class Jump {
    cat,  ///< side by side
    max,  ///< the largest, per element
    lstm, ///< a sum weighed by attention, which a recurrent unit over the layers computes for each node
};

/// What the layers of a network say about each node, put together: Xu et al., Representation Learning on Graphs with
/// Jumping Knowledge Networks (arXiv 1806.03536). With Jump::lstm, a bidirectional LSTM of (L C) / 2 units each way
/// runs over the L results, `att` makes a score of its states, and the softmax over the layers weighs their sum.
/// Parameters, with Jump::lstm only: `lstm.…` as in nn::LSTM, `att.weight` [1, 2 (L C / 2)], `att.bias` [1].
template <class T>
struct JumpingKnowledge {
    Jump mode = Jump::cat;
    std::optional<nn::LSTM<T>> lstm;
    std::optional<nn::Linear<T>> att;

    JumpingKnowledge() = default;
    /// Errors: Jump::lstm, which needs to know the layers.
    explicit JumpingKnowledge(Jump how) : mode(how) {
        if (how == Jump::lstm) throw error("JumpingKnowledge", "Jump::lstm needs channels and layers");
    }
    /// For `layers` results of `channels` each. `generator`: of the initial weights; null: nn::unseeded_generator().
    /// Errors: channels or layers < 1.
    JumpingKnowledge(Jump how, index channels, index layers, Generator* generator = nullptr) : mode(how) {
        if (channels < 1 || layers < 1)
            throw error("JumpingKnowledge", "channels is {}, layers is {}: must be at least 1", channels, layers);
        if (how != Jump::lstm) return;
        const index hidden = layers * channels / 2;
        lstm.emplace(channels, hidden, nn::LSTMOptions{.bidirectional = true, .generator = generator});
        att.emplace(2 * hidden, 1, nn::LinearOptions{.generator = generator});
    }

    /// Results of layers, each [N, C], to [N, C], or [N, sum of the C] with Jump::cat, where these may differ. Errors:
    /// there is none; they differ; with Jump::lstm they are not [N, channels].
    template <Expression X>
    auto operator()(const std::vector<X>& layers) const {
        static_assert(X::rank == 2, "weft: JumpingKnowledge: the results of layers are [N, C]");
        check(layers);
        using Y = decltype(eval(layers[0] + layers[0]));
        if (mode == Jump::cat) return Y(concat(1, layers));
        if (mode == Jump::lstm) return Y(weighted_sum(layers));
        Y y(layers[0]);
        for (std::size_t l = 1; l < layers.size(); ++l) y = Y(maximum(y, layers[l]));
        return y;
    }
    /// The same: `jump(h1, h2, h3)`.
    template <Expression... X>
    auto operator()(const X&... layers) const {
        using Layer = decltype(eval((layers + ...))); // a Var if one of them is
        return (*this)(std::vector<Layer>{Layer(layers)...});
    }

    void visit(auto&& v) {
        v("lstm", lstm);
        v("att", att);
    }

private:
    template <class X>
    void check(const std::vector<X>& layers) const {
        if (layers.empty()) throw error("JumpingKnowledge", "there are no results of layers: give at least one");
        for (std::size_t l = 0; l < layers.size(); ++l) {
            const auto &first = layers[0].shape(), &shape = layers[l].shape();
            if (shape[0] != first[0] || (mode != Jump::cat && shape[1] != first[1]))
                throw error("JumpingKnowledge", "result 0 is {}, result {} is {}: they must be equal",
                            weft::detail::shape_text(first), l, weft::detail::shape_text(shape));
        }
    }

    template <class X>
    auto weighted_sum(const std::vector<X>& layers) const {
        if (!lstm) throw error("JumpingKnowledge", "Jump::lstm needs channels and layers");
        const auto states = (*lstm)(layers);
        std::vector<decltype((*att)(states[0]))> scores;
        for (const auto& state : states) scores.push_back((*att)(state));
        const auto alpha = softmax<1>(concat(1, scores));
        const auto weighed = [&](std::size_t l) {
            const auto at = static_cast<index>(l);
            return slice(alpha, 1, at, at + 1) * layers[l];
        };
        auto y = eval(weighed(0));
        for (std::size_t l = 1; l < layers.size(); ++l) y = eval(y + weighed(l));
        return y;
    }
};

} // namespace weft::inline WEFT_ABI::gnn
