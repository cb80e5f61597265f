// SPDX-License-Identifier: MIT
#pragma once

/// Initial values of parameters, in place, for Parameters and Tensors of float or double (or Duals of them, whose
/// tangents become 0). Fans are the extents of the last two axes, [..., out, in] as in a Linear's weight; of four axes,
/// [out, in, height, width] as in a Conv2d's, those of the first two times the size of the kernel. Sources: Glorot and
/// Bengio, Understanding the difficulty of training deep feedforward neural networks (2010); He et al.,
/// Delving deep into rectifiers (2015).

#include <weft/core/dual.hpp>
#include <weft/core/random.hpp>
#include <weft/grad/var.hpp>

#include <atomic>
#include <cmath>
#include <vector>

namespace weft::process {
// Outside WEFT_ABI: one count in a program, whatever flags its translation units have.
/// How many generators unseeded_generator has made.
inline std::atomic<std::uint64_t> unseeded_layers{0};
} // namespace weft::process

namespace weft::inline WEFT_ABI::nn {

/// Where a layer made without a generator draws from: seed 0, and a stream of its own for each call, so that two layers
/// of one shape differ. A program that makes its layers in the same order gets the same numbers in every run.
inline Generator unseeded_generator() {
    return {0, process::unseeded_layers.fetch_add(1, std::memory_order_relaxed) + 1, 0};
}

/// Which extent scales a Kaiming initialisation: the input's keeps the variance of values, the output's of gradients.
enum class Fan { in, out };

/// Options of kaiming_uniform and kaiming_normal.
struct KaimingOptions {
    /// The slope of the leaky ReLU that follows; 0 is ReLU. sqrt(5) makes bounds of 1 / sqrt(fan).
    double negative_slope = 0;
    Fan fan = Fan::in;
};

namespace detail {

template <class X>
concept Initializable = requires(X& x) {
    x.mutable_values();
    x.shape();
};

/// Fills x by `draw(generator, R* to, n)` over its real scalar R.
template <class X, class Draw>
void fill_values(X& x, Generator& generator, Draw&& draw) {
    const auto values = x.mutable_values();
    using T = std::remove_cvref_t<decltype(values[0])>;
    if constexpr (requires(T t) { t.tangent; }) {
        using R = decltype(T::value);
        std::vector<R> real(values.size());
        draw(generator, real.data(), static_cast<index>(real.size()));
        std::copy(real.begin(), real.end(), values.begin());
    } else {
        draw(generator, values.data(), static_cast<index>(values.size()));
    }
}

struct Fans {
    double in, out;
};
template <class X>
Fans fans(const X& x) {
    static_assert(X::rank >= 2, "weft: fan-in and fan-out need two axes: use uniform or normal");
    if constexpr (X::rank == 4) {
        const auto kernel = static_cast<double>(x.extent(2) * x.extent(3));
        return {static_cast<double>(x.extent(1)) * kernel, static_cast<double>(x.extent(0)) * kernel};
    }
    return {static_cast<double>(x.extent(-1)), static_cast<double>(x.extent(-2))};
}
inline double kaiming_deviation(const Fans& f, const KaimingOptions& options) {
    const double fan = options.fan == Fan::in ? f.in : f.out;
    return std::sqrt(2 / (1 + options.negative_slope * options.negative_slope) / std::max(fan, 1.0));
}

} // namespace detail

/// Uniform in [low, high).
template <detail::Initializable X>
void uniform(X& x, Generator& generator, double low = 0, double high = 1) {
    detail::fill_values(x, generator, [&]<class R>(Generator& g, R* to, index n) {
        fill_uniform(g, to, n, static_cast<R>(low), static_cast<R>(high));
    });
}

/// Normal with that mean and standard deviation.
template <detail::Initializable X>
void normal(X& x, Generator& generator, double mean = 0, double deviation = 1) {
    detail::fill_values(x, generator, [&]<class R>(Generator& g, R* to, index n) {
        fill_normal(g, to, n, static_cast<R>(mean), static_cast<R>(deviation));
    });
}

/// That value everywhere.
template <detail::Initializable X>
void constant(X& x, double value) {
    const auto values = x.mutable_values();
    using T = std::remove_cvref_t<decltype(values[0])>;
    std::fill(values.begin(), values.end(), static_cast<T>(value));
}
/// 0 everywhere.
template <detail::Initializable X>
void zeros(X& x) {
    constant(x, 0);
}
/// 1 everywhere.
template <detail::Initializable X>
void ones(X& x) {
    constant(x, 1);
}

/// U(-b, b) with b = gain sqrt(6 / (in + out)); also called Xavier.
template <detail::Initializable X>
void glorot_uniform(X& x, Generator& generator, double gain = 1) {
    const auto f = detail::fans(x);
    const double bound = gain * std::sqrt(6 / std::max(f.in + f.out, 1.0));
    uniform(x, generator, -bound, bound);
}

/// Normal of variance 2 gain^2 / (in + out).
template <detail::Initializable X>
void glorot_normal(X& x, Generator& generator, double gain = 1) {
    const auto f = detail::fans(x);
    normal(x, generator, 0, gain * std::sqrt(2 / std::max(f.in + f.out, 1.0)));
}

/// U(-b, b) of variance 2 / ((1 + negative_slope^2) fan).
template <detail::Initializable X>
void kaiming_uniform(X& x, Generator& generator, const KaimingOptions& options = {}) {
    const double bound = std::sqrt(3.0) * detail::kaiming_deviation(detail::fans(x), options);
    uniform(x, generator, -bound, bound);
}

/// Normal of variance 2 / ((1 + negative_slope^2) fan).
template <detail::Initializable X>
void kaiming_normal(X& x, Generator& generator, const KaimingOptions& options = {}) {
    normal(x, generator, 0, detail::kaiming_deviation(detail::fans(x), options));
}

} // namespace weft::inline WEFT_ABI::nn
