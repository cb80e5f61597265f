// SPDX-License-Identifier: MIT
#pragma once

// Results of the kernels of every floor on inputs that are the same, bit for bit, whatever the processor. Names begin
// with the type of their elements, then with `each.` where every element is to be right by itself, not only as a part
// of the largest.

#include <weft/core/dual.hpp>
#include <weft/core/random.hpp>
#include <weft/core/tensor.hpp>
#include <weft/grad/backward.hpp>
#include <weft/io/safetensors.hpp>

#include <concepts>
#include <string>
#include <utility>

/// Numbers from -1 to 1, of a grid that float has.
template <class T, int N>
weft::Tensor<T, N> numbers(const weft::Extents<N>& shape, std::uint64_t seed) {
    weft::Generator generator{seed};
    auto drawn = weft::Tensor<float, N>::empty(shape);
    weft::fill_uniform(generator, drawn.mutable_data(), drawn.size(), -1.0f, 1.0f);
    auto values = weft::Tensor<T, N>::empty(shape);
    for (weft::index i = 0; i < values.size(); ++i) values.mutable_data()[i] = static_cast<T>(drawn.data()[i]);
    return values;
}
/// Two independent draws, the second as tangents.
template <class T, int N>
weft::Tensor<weft::Dual<T>, N> dual_numbers(const weft::Extents<N>& shape, std::uint64_t seed) {
    const auto value = numbers<T, N>(shape, seed), tangent = numbers<T, N>(shape, seed + 1000);
    auto both = weft::Tensor<weft::Dual<T>, N>::empty(shape);
    for (weft::index i = 0; i < both.size(); ++i) both.mutable_data()[i] = {value.data()[i], tangent.data()[i]};
    return both;
}

template <std::floating_point T>
inline const std::string type_name = std::same_as<T, float> ? "float." : "double.";

/// Named results, as they are written.
class KernelValues {
public:
    template <class T, int N>
    void add(const std::string& name, const weft::Tensor<T, N>& value) {
        if constexpr (std::floating_point<T>)
            tensors_.emplace_back(type_name<T> + name, value);
        else
            tensors_.emplace_back("exact." + name, value);
    }
    /// Of integers that were computed from numbers T.
    template <std::floating_point T, int N, class I>
    void add_integers(const std::string& name, const weft::Tensor<I, N>& value) {
        tensors_.emplace_back("exact." + type_name<T> + name, value);
    }
    /// Of Dual numbers: values and tangents.
    template <std::floating_point T, int N>
    void add(const std::string& name, const weft::Tensor<weft::Dual<T>, N>& both) {
        auto value = weft::Tensor<T, N>::empty(both.shape()), tangent = weft::Tensor<T, N>::empty(both.shape());
        for (weft::index i = 0; i < both.size(); ++i) {
            value.mutable_data()[i] = both.data()[i].value;
            tangent.mutable_data()[i] = both.data()[i].tangent;
        }
        add(name + ".value", value);
        add(name + ".tangent", tangent);
    }
    /// y and the gradients of sum(y c) for some c.
    template <class T, int N, class... X>
    void add_with_gradients(const std::string& name, const weft::Var<T, N>& y, const X&... x) {
        add(name, y.value());
        backward(y, numbers<T, N>(y.value().shape(), 99));
        int operand = 0;
        (add(name + ".gradient_" + std::to_string(operand++), x.grad()), ...);
    }
    const weft::io::NamedTensors& tensors() const { return tensors_; }

private:
    weft::io::NamedTensors tensors_;
};

/// Element-wise functions, reductions, statistics, random numbers, numbers of 16 bits.
void add_core_values(KernelValues& values);
/// Products, factorisations, convolution and attention.
void add_product_values(KernelValues& values);
/// Reductions over the edges of a graph.
void add_graph_values(KernelValues& values);
/// Equivariant functions and products, and an interatomic potential made of them.
void add_equivariant_values(KernelValues& values);
