// SPDX-License-Identifier: MIT
#pragma once

// Golden results of functions of several tensors with derivatives of two orders: for inputs X, `y` and the cotangent
// `gy`, the gradients `g_X`; with directions `v_X`, the gradients `gg_X` and `gg_gy` of the sum of <v_X, g_X>. These
// are the derivatives of the gradients and of y in the direction v, which numbers with a tangent give.

#include "golden.hpp"

#include <weft/core/dual.hpp>
#include <weft/grad/backward.hpp>
#include <weft/so3/instruction.hpp>

namespace weft_test {

/// The name of an input and its rank.
template <int N>
struct Input {
    const char* name;
};

/// Rows (multiplicity, degree, parity).
inline weft::so3::Irreps irreps_of(const GoldenCase& g, const std::string& tensor) {
    const auto terms = g.get<std::int64_t, 2>(tensor);
    std::vector<weft::so3::MulIrrep> list;
    for (weft::index i = 0; i < terms.extent(0); ++i)
        list.push_back({terms(i, 0), {static_cast<int>(terms(i, 1)), static_cast<int>(terms(i, 2))}});
    return list;
}

/// The normalisation of that name.
inline weft::so3::IrrepNormalization irrep_normalization(const std::string& name) {
    if (name == "component") return weft::so3::IrrepNormalization::component;
    if (name == "norm") return weft::so3::IrrepNormalization::norm;
    REQUIRE(name == "none");
    return weft::so3::IrrepNormalization::none;
}

namespace detail {

/// value + tangent e
template <int N>
weft::Tensor<weft::Dual<double>, N> with_tangent(const weft::Tensor<double, N>& value,
                                                 const weft::Tensor<double, N>& tangent) {
    auto both = weft::Tensor<weft::Dual<double>, N>::empty(value.shape());
    for (weft::index i = 0; i < value.size(); ++i) both.mutable_data()[i] = {value.data()[i], tangent.data()[i]};
    return both;
}
template <int N>
weft::Tensor<double, N> tangent_of(const weft::Tensor<weft::Dual<double>, N>& both) {
    auto tangent = weft::Tensor<double, N>::empty(both.shape());
    for (weft::index i = 0; i < both.size(); ++i) tangent.mutable_data()[i] = both.data()[i].tangent;
    return tangent;
}

template <class T, class F, int... N>
void check_first_order(GoldenCase& g, const F& f, const Input<N>&... inputs) {
    const auto compare = [&](const auto&... x) {
        const auto y = f(x...);
        constexpr int rank = std::remove_cvref_t<decltype(y)>::rank;
        g.compare("y", y.value(), {.of_float = 2e-5});
        weft::backward(y, g.get<T, rank>("gy"));
        (g.compare("g_" + std::string(inputs.name), x.grad(), {.of_float = 2e-5, .relative = 1e-9, .absolute = 1e-9}),
         ...);
    };
    compare(weft::Var<T, N>{g.get<T, N>(inputs.name)}...);
}
template <class F, int... N>
void check_second_order(GoldenCase& g, const F& f, const Input<N>&... inputs) {
    using Dual = weft::Dual<double>;
    const auto compare = [&](const auto&... x) {
        const auto y = f(x...);
        constexpr int rank = std::remove_cvref_t<decltype(y)>::rank;
        const Tolerance tolerance{.relative = 1e-8, .absolute = 1e-8};
        g.compare("gg_gy", tangent_of(y.value()), tolerance);
        const auto gy = g.get<double, rank>("gy");
        weft::backward(y, with_tangent(gy, weft::Tensor<double, rank>::zeros(gy.shape())));
        (g.compare("gg_" + std::string(inputs.name), tangent_of(x.grad()), tolerance), ...);
    };
    compare(weft::Var<Dual, N>{
        with_tangent(g.get<double, N>(inputs.name), g.get<double, N>("v_" + std::string(inputs.name)))}...);
}

} // namespace detail

/// y = f(inputs...) and its derivatives of first order in double and float, of second order in double.
template <class F, int... N>
void check_derivatives(GoldenCase& g, const F& f, const Input<N>&... inputs) {
    detail::check_first_order<double>(g, f, inputs...);
    detail::check_first_order<float>(g, f, inputs...);
    detail::check_second_order(g, f, inputs...);
}

} // namespace weft_test
