// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/nn/init.hpp>
#include <weft/nn/module.hpp>

namespace weft::inline WEFT_ABI::nn {

/// Options of `Embedding`.
struct EmbeddingOptions {
    /// Where the initial values come from; null: unseeded_generator().
    Generator* generator = nullptr;
};

/// A learnt row for each id: parameter `weight` [V, D], standard normal at first, as in torch.nn.Embedding.
template <class T>
struct Embedding {
    Parameter<T, 2> weight;

    Embedding() = default;
    /// Errors: a negative number of ids or features.
    Embedding(index ids, index features, const EmbeddingOptions& options = {}) {
        if (ids < 0 || features < 0)
            throw error("Embedding", "{} ids, {} features: must not be negative", ids, features);
        weight.set_value(Tensor<T, 2>::empty({ids, features}));
        Generator unseeded;
        if (!options.generator) unseeded = unseeded_generator();
        reset_parameters(options.generator ? *options.generator : unseeded);
    }

    /// V, the number of rows.
    index ids() const { return weight.extent(0); }
    /// D, the length of a row.
    index features() const { return weight.extent(1); }

    /// Draws the rows anew.
    void reset_parameters(Generator& generator) { normal(weight, generator); }

    /// The rows of `ids` [...], integers of any type: [..., D]. Fed a Var of integers, the embedding trains; the
    /// gradient of a row is the sum over its places in ascending order. Errors: an id outside [0, V).
    template <Expression I>
    requires std::integral<typename I::value_type>
    auto operator()(const I& ids) const {
        const weft::detail::Gather<I::rank> gather{
            weft::detail::checked_positions(weft::detail::detached(ids), weight.extent(0), "Embedding")};
        if constexpr (kind_of<I> == Kind::var)
            return apply_operation(gather, weight.var());
        else
            return apply_operation(gather, weight);
    }

    void visit(auto&& v) { v("weight", weight); }
};

} // namespace weft::inline WEFT_ABI::nn
