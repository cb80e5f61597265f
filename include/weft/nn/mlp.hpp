// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/relu.hpp>
#include <weft/nn/linear.hpp>

#include <vector>

namespace weft::inline WEFT_ABI::nn {

/// Linear layers with rectifiers in between. Names are those of the sequence Linear, ReLU, Linear, ... in PyTorch:
/// `0.weight`, `0.bias`, `2.weight`, ....
template <class T>
struct MLP {
    std::vector<Linear<T>> layers;

    MLP() = default;
    /// `channels`: those of the input, of each layer between, and of the result.
    explicit MLP(const std::vector<index>& channels, const LinearOptions& options = {}) {
        for (std::size_t k = 0; k + 1 < channels.size(); ++k)
            layers.emplace_back(channels[k], channels[k + 1], options);
    }

    index in_features() const { return layers.front().in_features(); }
    index out_features() const { return layers.back().out_features(); }

    /// x [..., in] to [..., out]. Errors: x does not fit.
    template <Expression E>
    auto operator()(const E& x) const {
        return after_first(layers.at(0)(x));
    }
    /// The same from the result of the first layer, which was computed elsewhere.
    template <Expression E>
    auto after_first(const E& first) const {
        auto y = eval(first);
        for (std::size_t k = 1; k < layers.size(); ++k) y = layers[k](relu(y));
        return y;
    }
    /// All layers but the first.
    MLP rest() const {
        MLP r;
        r.layers.assign(layers.begin() + 1, layers.end());
        return r;
    }

    void visit(auto&& v) {
        std::size_t number = 0;
        for (auto& layer : layers) {
            v(std::string_view(std::to_string(number)), layer);
            number += 2;
        }
    }
};

} // namespace weft::inline WEFT_ABI::nn
