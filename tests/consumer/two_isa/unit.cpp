// SPDX-License-Identifier: MIT
#include "unit.hpp"

#include <weft/core.hpp>
#include <weft/graph.hpp>
#include <weft/linalg/eigh.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/linalg/solve.hpp>

namespace UNIT {

namespace {

template <class T>
weft::Tensor<T, 2> numbers(weft::index rows, weft::index columns, std::uint64_t seed) {
    auto x = weft::Tensor<T, 2>::empty({rows, columns});
    weft::Generator generator{seed};
    weft::fill_uniform(generator, x.mutable_data(), x.size(), T(-1), T(1));
    return x;
}

template <class T, int N>
void add(Result& result, const std::string& name, const weft::Tensor<T, N>& x) {
    for (const T v : x.values()) result.values[name].push_back(static_cast<double>(v));
}

} // namespace

Result run() {
    using weft::Tensor;
    Result result;
    // The lanes of a packet tell which instructions this unit was compiled for.
    result.lanes = static_cast<std::size_t>(weft::lanes<float>);

    const auto x = numbers<float>(37, 41, 1);
    add(result, "float numbers", x);
    add(result, "float expression", weft::eval(exp(-x * x) + x));
    add(result, "float sum", weft::sum<1>(x));
    add(result, "float softmax", weft::softmax<1>(x));
    add(result, "float matmul", Tensor<float, 2>(weft::matmul(x, numbers<float>(41, 11, 2))));
    const weft::Graph g(Tensor<std::int32_t, 2>::from({{0, 1, 2, 3, 4, 5, 36}, {1, 2, 2, 0, 36, 1, 1}}), 37);
    add(result, "float sum_in", Tensor<float, 2>(sum_in(g, weft::src(x))));

    const auto a = numbers<double>(37, 37, 3);
    const Tensor<double, 2> symmetric = weft::matmul(a, transpose(a));
    add(result, "double matmul", symmetric);
    add(result, "double solve", weft::solve(a, numbers<double>(37, 3, 4)));
    add(result, "double eigh", weft::eigh(symmetric).values);
    return result;
}

} // namespace UNIT
