// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/linear.hpp>

namespace weft::inline WEFT_ABI::nn {

/// Options of recurrent cells.
struct RecurrentOptions {
    bool bias = true;
    Generator* generator = nullptr; ///< of the initial weights; null: unseeded_generator()
};

namespace detail {

/// What recurrent units have in common: the inputs of their gates, [N, gates C], are sums of a linear function of the
/// step's x [N, in] and one of the state h [N, C].
template <class T>
struct Gates {
    Linear<T> input, state;

    Gates() = default;
    Gates(index in_features, index hidden, index gates, const RecurrentOptions& o)
        : input(in_features, gates * hidden, {.bias = o.bias, .generator = o.generator}),
          state(hidden, gates * hidden, {.bias = o.bias, .generator = o.generator}) {
        Generator unseeded = o.generator ? Generator{} : unseeded_generator();
        reset_parameters(o.generator ? *o.generator : unseeded);
    }

    index hidden() const { return state.in_features(); }

    /// All uniform in +-1 / sqrt(C), as in PyTorch.
    void reset_parameters(Generator& generator) {
        const double bound = 1 / std::sqrt(std::max(static_cast<double>(hidden()), 1.0));
        for (Linear<T>* linear : {&input, &state}) {
            uniform(linear->weight, generator, -bound, bound);
            if (linear->bias) uniform(*linear->bias, generator, -bound, bound);
        }
    }

    /// Errors: the shapes do not fit.
    template <class X, class H>
    void check(const char* unit, const X& x, const H& h) const {
        static_assert(X::rank == 2 && H::rank == 2, "weft: a step of a recurrent unit takes x [N, in] and h [N, C]");
        if (x.shape()[1] != input.in_features())
            throw error(unit, "x is {}: it must be [N, {}]", weft::detail::shape_text(x.shape()), input.in_features());
        if (h.shape() != Extents<2>{x.shape()[0], hidden()})
            throw error(unit, "x is {}, h is {}: h must be [{}, {}]", weft::detail::shape_text(x.shape()),
                        weft::detail::shape_text(h.shape()), x.shape()[0], hidden());
    }

    /// Gate k of [N, gates C], as a view.
    template <class G>
    auto gate(const G& all, index k) const {
        return slice(all, 1, k * hidden(), (k + 1) * hidden());
    }

    void visit(auto&& v, const std::string& suffix = {}) {
        const auto member = [&](const char* name, auto& parameter) { v(std::string_view(name + suffix), parameter); };
        member("weight_ih", input.weight);
        member("weight_hh", state.weight);
        member("bias_ih", input.bias);
        member("bias_hh", state.bias);
    }
};

} // namespace detail
} // namespace weft::inline WEFT_ABI::nn
