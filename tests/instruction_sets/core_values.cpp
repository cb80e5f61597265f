// SPDX-License-Identifier: MIT
#include "kernel_values.hpp"

#include <weft/core.hpp>
#include <weft/grad.hpp>

#include <cmath>
#include <limits>
#include <vector>

using namespace weft;

namespace {

/// Numbers where functions change, overflow or have no value, and others of all magnitudes; no multiple of a packet.
template <class T>
Tensor<T, 1> points() {
    using Limits = std::numeric_limits<T>;
    std::vector<T> x{0,
                     Limits::infinity(),
                     Limits::quiet_NaN(),
                     Limits::denorm_min(),
                     Limits::min(),
                     Limits::max(),
                     T(88.5),
                     T(104),
                     T(709.5),
                     T(745.5),
                     T(1e-20),
                     T(1e30),
                     T(0.5),
                     T(1),
                     T(2),
                     T(3),
                     T(6),
                     T(1024.5)};
    for (int k = 1; k < 12; ++k) x.push_back(T(k) * T(1.5707963267948966));
    const auto more = numbers<T, 1>({400}, 1);
    for (weft::index i = 0; i < more.size(); ++i) {
        const T u = more(i);
        x.push_back(i % 4 == 0 ? T(6) * u : i % 4 == 1 ? T(100) * u : i % 4 == 2 ? u : std::ldexp(u, int(i) % 80 - 40));
    }
    for (std::size_t i = 0, n = x.size(); i < n; ++i) x.push_back(-x[i]);
    x.push_back(T(0.75));
    return Tensor<T, 1>::from(x);
}

template <class T>
void add_elementwise(KernelValues& values) {
    const auto x = points<T>();
    const auto add = [&](const std::string& name, const auto& f) { values.add(name, eval(f(x))); };
    const auto each = [&](const std::string& name, const auto& f) { add("each." + name, f); };
    each("abs", [](const auto& a) { return abs(a); });
    each("ceil", [](const auto& a) { return ceil(a); });
    each("cos", [](const auto& a) { return cos(a); });
    each("erf", [](const auto& a) { return erf(a); });
    each("erfc", [](const auto& a) { return erfc(a); });
    each("exp", [](const auto& a) { return exp(a); });
    each("expm1", [](const auto& a) { return expm1(a); });
    each("floor", [](const auto& a) { return floor(a); });
    each("log", [](const auto& a) { return log(a); });
    each("log1p", [](const auto& a) { return log1p(a); });
    each("reciprocal", [](const auto& a) { return reciprocal(a); });
    each("relu", [](const auto& a) { return relu(a); });
    each("round", [](const auto& a) { return round(a); });
    each("rsqrt", [](const auto& a) { return rsqrt(a); });
    each("sigmoid", [](const auto& a) { return sigmoid(a); });
    each("sign", [](const auto& a) { return sign(a); });
    each("sin", [](const auto& a) { return sin(a); });
    each("sqrt", [](const auto& a) { return sqrt(a); });
    each("square", [](const auto& a) { return square(a); });
    each("tan", [](const auto& a) { return tan(a); });
    each("tanh", [](const auto& a) { return tanh(a); });
    each("pow", [](const auto& a) { return pow(a, flip(a, 0)); });
    each("pow_of_three", [](const auto& a) { return pow(a, T(3)); });
    each("maximum", [](const auto& a) { return maximum(a, flip(a, 0)); });
    each("quotient", [](const auto& a) { return flip(a, 0) / a; });

    const auto y = eval(T(8) * numbers<T, 1>({301}, 2));
    const auto near = [&](const std::string& name, const auto& f) { values.add("each." + name, eval(f(y))); };
    near("celu", [](const auto& a) { return celu(a, 0.7); });
    near("elu", [](const auto& a) { return elu(a); });
    near("gelu", [](const auto& a) { return gelu(a); });
    near("gelu_tanh", [](const auto& a) { return gelu_tanh(a); });
    near("hardswish", [](const auto& a) { return hardswish(a); });
    near("leaky_relu", [](const auto& a) { return leaky_relu(a); });
    near("logsigmoid", [](const auto& a) { return logsigmoid(a); });
    near("mish", [](const auto& a) { return mish(a); });
    near("quick_gelu", [](const auto& a) { return quick_gelu(a); });
    near("selu", [](const auto& a) { return selu(a); });
    near("silu", [](const auto& a) { return silu(a); });
    near("softplus", [](const auto& a) { return softplus(a); });

    values.add_integers<T>("less", eval(x < flip(x, 0)));
    values.add_integers<T>("equal", eval(floor(y) == floor(flip(y, 0))));
    values.add("where", eval(where(y > T(0), exp(y), square(y))));

    const auto d = dual_numbers<T, 1>({67}, 3);
    values.add("each.dual_exp", eval(exp(d)));
    values.add("each.dual_tanh", eval(tanh(d)));
    values.add("dual_fused", eval(silu(d * flip(d, 0)) / (d * d + T(1))));
}

template <class T>
void add_reductions(KernelValues& values) {
    const auto x = numbers<T, 3>({7, 13, 37}, 4);
    values.add("sum", sum<2>(x));
    values.add("sum_of_first", sum<0>(x * x));
    values.add("mean", mean<1, 2>(exp(x)));
    values.add("max", max<2>(x));
    values.add("min", min<0, 1>(x));
    values.add("var", var<2>(x));
    values.add("norm", norm<1>(x));
    values.add("prod", prod<2>(x + T(0.9)));
    values.add_integers<T>("argmax", argmax<2>(x));
    values.add_integers<T>("any", any<1>(x > T(0.99)));
    values.add_integers<T>("count_nonzero", count_nonzero<0>(x > T(0)));
    values.add("softmax", softmax<2>(T(10) * x));
    values.add("softmax_of_first", softmax<0>(x));
    values.add("log_softmax", log_softmax<2>(T(10) * x));
    values.add("logsumexp", logsumexp<1>(T(10) * x));

    const Var<T, 3> v{x};
    const auto m = moments<1, 2>(v, 1e-5);
    const Var<T, 3> y = silu((v - m.mean()) * m.inverse_deviation());
    values.add("moments", y.value());
    backward(y, numbers<T, 3>(x.shape(), 5));
    values.add("moments_gradient", v.grad());

    const auto d = dual_numbers<T, 2>({5, 21}, 6);
    values.add("dual_sum", sum<1>(d * d));
    values.add("dual_softmax", softmax<1>(d));
    values.add("transposed", contiguous(transpose(d)));
}

template <class T>
void add_random(KernelValues& values) {
    Generator generator{7};
    auto uniform = Tensor<T, 1>::empty({131}), normal = Tensor<T, 1>::empty({131});
    fill_uniform(generator, uniform.mutable_data(), uniform.size(), T(-2), T(3));
    fill_normal(generator, normal.mutable_data(), normal.size());
    values.add("each.uniform", uniform);
    values.add("normal", normal);
}

/// Numbers of 16 bits and back, by their bits where these are the result.
template <class S>
void add_stored(KernelValues& values, const std::string& name) {
    const auto x = points<float>();
    auto stored = Tensor<S, 1>::empty(x.shape());
    convert(x.data(), stored.mutable_data(), x.size());
    auto bits = Tensor<std::int32_t, 1>::empty(x.shape());
    for (weft::index i = 0; i < x.size(); ++i)
        bits.mutable_data()[i] = std::isnan(x(i)) ? -1 : std::int32_t(stored(i).bits());
    values.add(name, bits);

    auto all = Tensor<S, 1>::empty({65536});
    for (weft::index i = 0; i < all.size(); ++i) all.mutable_data()[i] = S::from_bits(static_cast<std::uint16_t>(i));
    auto widened = Tensor<float, 1>::empty(all.shape());
    convert(all.data(), widened.mutable_data(), all.size());
    values.add("each." + name + "_widened", widened);
}

} // namespace

void add_core_values(KernelValues& values) {
    add_elementwise<float>(values);
    add_elementwise<double>(values);
    add_reductions<float>(values);
    add_reductions<double>(values);
    add_random<float>(values);
    add_random<double>(values);
    add_stored<half>(values, "half");
    add_stored<bfloat16>(values, "bfloat16");
    Generator generator{8};
    auto integers = Tensor<std::int64_t, 1>::empty({131});
    fill_integers(generator, integers.mutable_data(), integers.size(), -1000, 1'000'000'000'000);
    values.add("integers", integers);
}
