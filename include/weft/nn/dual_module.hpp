// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/dual.hpp>
#include <weft/core/math/basic.hpp>
#include <weft/grad/backward.hpp>
#include <weft/nn/module.hpp>

#include <vector>

/// Derivatives of gradients by forward mode over reverse mode: a module and its twin, the same module over numbers
/// Dual<T>, whose tangents are derivatives in one direction.
namespace weft::inline WEFT_ABI {

/// Values with tangents, element by element. Errors: the shapes differ.
template <class T, int N>
Tensor<Dual<T>, N> with_tangent(const Tensor<T, N>& value, const Tensor<T, N>& tangent) {
    if (value.shape() != tangent.shape())
        throw error("with_tangent", "the values are {}, the tangents {}: they must be equal",
                    detail::shape_text(value.shape()), detail::shape_text(tangent.shape()));
    auto both = Tensor<Dual<T>, N>::empty(value.shape());
    Dual<T>* const to = both.mutable_data();
    for (index i = 0; i < value.size(); ++i) to[i] = {value.data()[i], tangent.data()[i]};
    return both;
}

namespace nn {

namespace detail {

/// Calls f(parameter, its counterpart) for two modules with the same parameters but for their type.
template <class A, class B, class F>
void for_each_pair(const char* operation, const A& a, const B& b, F&& f) {
    std::vector<const void*> others;
    std::vector<std::span<const index>> shapes;
    for_each_parameter(b, [&](std::string_view, const auto& p) {
        others.push_back(&p);
        shapes.push_back(p.shape());
    });
    std::size_t next = 0;
    for_each_parameter(a, [&]<class T, int N>(std::string_view name, const Parameter<T, N>& p) {
        using Other = std::conditional_t<math::is_dual<T>, typename weft::detail::DualScalar<T>::type, Dual<T>>;
        const std::span<const index> shape = p.shape();
        if (next == others.size() || !std::equal(shape.begin(), shape.end(), shapes[next].begin(), shapes[next].end()))
            throw error(operation, "{}: the two modules must have the same parameters", name);
        f(p, *static_cast<const Parameter<Other, N>*>(others[next++]));
    });
}

} // namespace detail

/// Gives the parameters of `dual` the values of those of `module`, with tangents 0, and clears their gradients. Errors:
/// they are not the same modules.
template <class M, class D>
void set_values_of_dual(const M& module, const D& dual) {
    detail::for_each_pair("set_values_of_dual", module, dual,
                          [&]<class T, int N>(const Parameter<T, N>& from, const Parameter<Dual<T>, N>& to) {
                              Parameter<Dual<T>, N> handle = to;
                              const std::span<Dual<T>> values = handle.mutable_values();
                              const Tensor<T, N> value = from.value();
                              for (std::size_t i = 0; i < values.size(); ++i) values[i] = value.data()[i];
                              handle.clear_grad();
                          });
}

/// Adds the tangents of the gradients of `dual` to the gradients of `module`. Errors: they are not the same modules.
template <class D, class M>
void add_tangents_of_gradients(const D& dual, const M& module) {
    detail::for_each_pair("add_tangents_of_gradients", module, dual,
                          [&]<class T, int N>(const Parameter<T, N>& to, const Parameter<Dual<T>, N>& from) {
                              if (!from.has_grad()) return;
                              const Tensor<Dual<T>, N> both = from.grad();
                              auto tangent = Tensor<T, N>::empty(both.shape());
                              T* const values = tangent.mutable_data();
                              for (index i = 0; i < both.size(); ++i) values[i] = both.data()[i].tangent;
                              backward(to.var(), tangent);
                          });
}

} // namespace nn

} // namespace weft::inline WEFT_ABI
