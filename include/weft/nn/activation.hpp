// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>

#include <array>
#include <ratio>
#include <tuple>

/// Element-wise functions as modules without parameters, for nn::Sequential.
namespace weft::inline WEFT_ABI::nn {

namespace detail {

/// x -> Op(x, constants...); lazy, so it fuses with what comes before and after. `Default`: a std::ratio for each
/// constant.
template <class Op, class... Default>
struct Activation {
    static constexpr bool elementwise = true;
    std::array<double, sizeof...(Default)> constants{static_cast<double>(Default::num) / Default::den...};

    template <Expression E>
    auto operator()(const E& x) const {
        return std::apply([&](auto... constant) { return weft::apply<Op>(x, constant...); }, constants);
    }
    void visit(auto&&) {}
};

} // namespace detail

/// max(x, 0)
using ReLU = detail::Activation<weft::Relu>;
/// x where it is positive, else slope x: `LeakyReLU{0.2}`, by default 0.01
using LeakyReLU = detail::Activation<weft::LeakyRelu, std::ratio<1, 100>>;
/// x where it is positive, else alpha (e^x - 1): `ELU{0.5}`, by default 1
using ELU = detail::Activation<weft::Elu, std::ratio<1>>;
/// x Phi(x), with the normal distribution Phi: Hendrycks & Gimpel (arXiv 1606.08415)
using GELU = detail::Activation<weft::Gelu>;
/// x sigmoid(x)
using SiLU = detail::Activation<weft::Silu>;
using Tanh = detail::Activation<weft::Tanh>;
using Sigmoid = detail::Activation<weft::Sigmoid>;

/// x itself.
struct Identity {
    static constexpr bool elementwise = true;
    template <Expression E>
    auto operator()(const E& x) const {
        return x;
    }
    void visit(auto&&) {}
};

} // namespace weft::inline WEFT_ABI::nn
