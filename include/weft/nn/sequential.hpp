// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/activation.hpp>
#include <weft/nn/linear.hpp>

#include <tuple>

namespace weft::inline WEFT_ABI::nn {

/// Modules one after the other; each takes the result of the one before, and a normalisation takes an element-wise
/// module behind it into its loop. Their names are their numbers, as in PyTorch:
/// `0.weight`. Any callable will do: `Sequential{Linear<float>(3, 8), ReLU{}, Linear<float>(8, 2)}`.
template <class... M>
struct Sequential {
    std::tuple<M...> modules;

    Sequential() = default;
    /// Of these modules, in order.
    explicit Sequential(M... m) requires(sizeof...(M) > 0) : modules(std::move(m)...) {}

    /// The result is landed.
    template <Expression E>
    auto operator()(const E& x) const {
        return apply<0>(eval(x));
    }

    /// All modules but the first; its parameters are those of this sequence.
    auto rest() const {
        return std::apply(
            [](const auto&, const auto&... m) { return Sequential<std::remove_cvref_t<decltype(m)>...>(m...); },
            modules);
    }

    void visit(auto&& v) {
        // Names live only during the call.
        std::size_t i = 0;
        std::apply([&](auto&... m) { (v(std::string_view(std::to_string(i++)), m), ...); }, modules);
    }

private:
    template <std::size_t I, class X>
    auto apply(const X& x) const {
        if constexpr (I == sizeof...(M))
            return eval(x);
        else if constexpr (fused<I>())
            return apply<I + 2>(std::get<I>(modules)(x, std::get<I + 1>(modules)));
        else
            return apply<I + 1>(std::get<I>(modules)(x));
    }
    template <std::size_t I>
    static constexpr bool fused() {
        if constexpr (I + 1 < sizeof...(M)) return requires {
                std::tuple_element_t<I, std::tuple<M...>>::fuses_activation;
                std::tuple_element_t<I + 1, std::tuple<M...>>::elementwise;
            };
        else
            return false;
    }
};

} // namespace weft::inline WEFT_ABI::nn
