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
/// min(max(x, 0), 6)
using ReLU6 = detail::Activation<weft::Relu6>;
/// max(x, 0)^2
using SquaredReLU = detail::Activation<weft::SquaredRelu>;
/// x where it is positive, else slope x: `LeakyReLU{0.2}`, by default 0.01
using LeakyReLU = detail::Activation<weft::LeakyRelu, std::ratio<1, 100>>;
/// x where it is positive, else alpha (e^x - 1): `ELU{0.5}`, by default 1
using ELU = detail::Activation<weft::Elu, std::ratio<1>>;
/// x where it is positive, else alpha (e^(x/alpha) - 1): `CELU{0.5}`, by default 1
using CELU = detail::Activation<weft::Celu, std::ratio<1>>;
/// ELU with factors that keep mean and variance
using SELU = detail::Activation<weft::Selu>;
/// x Phi(x), with the normal distribution Phi: Hendrycks & Gimpel (arXiv 1606.08415)
using GELU = detail::Activation<weft::Gelu>;
/// torch.nn.GELU(approximate="tanh")
using GELUTanh = detail::Activation<weft::GeluTanh>;
/// x sigmoid(1.702 x)
using QuickGELU = detail::Activation<weft::QuickGelu>;
/// x sigmoid(x)
using SiLU = detail::Activation<weft::Silu>;
/// x tanh(log(1 + e^x))
using Mish = detail::Activation<weft::Mish>;
/// x (x + 3) / 6 from -3 to 3, 0 below and x above
using Hardswish = detail::Activation<weft::Hardswish>;
/// tanh(x)
using Tanh = detail::Activation<weft::Tanh>;
/// min(max(x, -1), 1)
using Hardtanh = detail::Activation<weft::Hardtanh>;
/// 1 / (1 + e^-x)
using Sigmoid = detail::Activation<weft::Sigmoid>;
/// (x + 3) / 6 between 0 and 1
using Hardsigmoid = detail::Activation<weft::Hardsigmoid>;
/// log(sigmoid(x))
using LogSigmoid = detail::Activation<weft::LogSigmoid>;
/// log(1 + e^x)
using Softplus = detail::Activation<weft::Softplus>;
/// (x + sqrt(x^2 + b)) / 2: `Squareplus{1}`, by default 4
using Squareplus = detail::Activation<weft::Squareplus, std::ratio<4>>;
/// x / (1 + |x|)
using Softsign = detail::Activation<weft::Softsign>;

/// x itself.
struct Identity {
    static constexpr bool elementwise = true;
    /// x
    template <Expression E>
    auto operator()(const E& x) const {
        return x;
    }
    void visit(auto&&) {}
};

} // namespace weft::inline WEFT_ABI::nn
