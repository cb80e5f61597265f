// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <utility>
#include <vector>

// What the test of accuracies and the program that makes their table have in common: every function in core/ops that
// states its accuracy, with a reference, its arguments, and distances in units of the last place. float functions are
// measured against double, double functions against long double.

namespace weft_test::accuracy {

namespace math = weft::math;

template <class T>
struct Worst {
    double ulps = 0;
    T at{};
    void add(double u, T x) {
        if (u > ulps) *this = {u, x};
    }
};

// The distance from the exact value in units of the last place of T there; infinite where only one of them is finite,
// but that beside overflow an infinity counts as the power of two behind the largest number.
template <class T, class Wider>
inline bool at_limit(T got, Wider exact) {
    return std::isnan(got) || !std::isfinite(exact) || (std::isinf(got) && std::isinf(static_cast<T>(exact)));
}
template <class T, class Wider>
double distance_at_limit(T got, Wider exact) {
    const T rounded = static_cast<T>(exact);
    return got == rounded || (std::isnan(got) && std::isnan(rounded)) ? 0 : std::numeric_limits<double>::infinity();
}
inline double ulps(float got, double exact) {
    if (at_limit(got, exact)) return distance_at_limit(got, exact);
    const std::uint64_t exponent =
        std::clamp(std::bit_cast<std::uint32_t>(static_cast<float>(exact)) >> 23 & 255u, 1u, 254u);
    const double reached = std::isinf(got) ? std::copysign(0x1p128, double{got}) : double{got};
    return std::fabs(reached - exact) * std::bit_cast<double>((1023 + 150 - exponent) << 52);
}
inline double ulps(double got, long double exact) {
    using Limits = std::numeric_limits<double>;
    if (at_limit(got, exact)) return distance_at_limit(got, exact);
    int exponent = 0;
    std::frexp(exact, &exponent);
    exponent = std::clamp(exponent, Limits::min_exponent, Limits::max_exponent);
    const long double reached = std::isinf(got) ? std::copysign(std::ldexp(1.0L, 1024), got) : got;
    // less the error of the reference: two bits of the 11 that a long double has more
    return static_cast<double>(std::ldexp(std::fabs(reached - exact), Limits::digits - exponent)) - 0x1p-9;
}

// Op of one argument, the others at their defaults.
template <class Op, class P>
P value(const P& x) {
    if constexpr (requires { Op::value(x); })
        return Op::value(x);
    else if constexpr (std::is_same_v<Op, weft::Squareplus>)
        return Op::value(x, P(4));
    else if constexpr (std::is_same_v<Op, weft::LeakyRelu>)
        return Op::value(x, math::number<P>(0.0078125)); // so that the exact product is known
    else
        return Op::value(x, P(1));
}

constexpr std::size_t block = 64;

template <class Op, class T>
void evaluate(const T* x, T* y) {
    for (std::size_t i = 0; i < block; i += static_cast<std::size_t>(weft::lanes<T>))
        weft::store_packet(y + i, value<Op>(weft::load_packet(x + i)));
}

template <class Op, class T>
void evaluate(const T* a, const T* b, T* y) {
    for (std::size_t i = 0; i < block; i += static_cast<std::size_t>(weft::lanes<T>))
        weft::store_packet(y + i, Op::value(weft::load_packet(a + i), weft::load_packet(b + i)));
}

template <class Op, class T, class Reference>
Worst<T> worst_of(const std::vector<T>& inputs, Reference exact) {
    Worst<T> worst;
    T x[block] = {}, y[block];
    for (std::size_t at = 0; at < inputs.size(); at += block) {
        const std::size_t n = std::min(block, inputs.size() - at);
        std::copy_n(inputs.begin() + static_cast<std::ptrdiff_t>(at), n, x);
        evaluate<Op>(x, y);
        for (std::size_t i = 0; i < n; ++i) worst.add(ulps(y[i], exact(x[i])), x[i]);
    }
    return worst;
}

/// The same of a function of two arguments, where a[i] goes with b[i].
template <class Op, class T, class Reference>
Worst<std::pair<T, T>> worst_of(const std::vector<T>& a, const std::vector<T>& b, Reference exact) {
    Worst<std::pair<T, T>> worst;
    T x[block] = {}, y[block] = {}, z[block];
    for (std::size_t at = 0; at < a.size(); at += block) {
        const std::size_t n = std::min(block, a.size() - at);
        std::copy_n(a.begin() + static_cast<std::ptrdiff_t>(at), n, x);
        std::copy_n(b.begin() + static_cast<std::ptrdiff_t>(at), n, y);
        evaluate<Op>(x, y, z);
        for (std::size_t i = 0; i < n; ++i) worst.add(ulps(z[i], exact(x[i], y[i])), {x[i], y[i]});
    }
    return worst;
}

// Adds the numbers around those where functions change their formula, vanish, or leave the range of T.
template <class T>
void append_bends(std::vector<T>& v) {
    using Limits = std::numeric_limits<T>;
    constexpr double pi = std::numbers::pi;
    for (const double bend : {0.0,
                              double{Limits::min()},
                              1e-8,
                              1e-4,
                              0.25,
                              0.5,
                              std::numbers::ln2 / 2,
                              0.625,
                              1.0,
                              1.5,
                              2.0,
                              3.0,
                              4.0,
                              6.0,
                              pi / 4,
                              pi / 2,
                              pi,
                              3 * pi / 2,
                              2 * pi,
                              100 * pi,
                              2048.0,
                              9.0,
                              20.0,
                              26.5,
                              37.0,
                              88.7228391,
                              103.9720771,
                              709.782712893384,
                              745.1332191019412,
                              double{Limits::max()}})
        for (const double sign : {1.0, -1.0}) {
            T up = static_cast<T>(sign * bend), down = up;
            v.push_back(up);
            for (int i = 0; i < 100; ++i) {
                v.insert(v.end(), {up = std::nextafter(up, Limits::infinity()),
                                   down = std::nextafter(down, -Limits::infinity())});
            }
        }
}

// Every 4099th float, of any exponent and sign, and the special ones.
inline const std::vector<float>& floats() {
    static const std::vector<float> all = [] {
        constexpr float infinity = std::numeric_limits<float>::infinity();
        std::vector<float> v{0.0f, -0.0f, infinity, -infinity, std::numeric_limits<float>::quiet_NaN(), 1, -1, 3, -3};
        for (std::uint64_t bits = 0; bits >> 32 == 0; bits += 4099)
            v.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
        append_bends(v);
        return v;
    }();
    return all;
}
// Doubles of any exponent and sign, and more where functions bend.
inline const std::vector<double>& doubles() {
    static const std::vector<double> all = [] {
        std::vector<double> v(floats().begin(), floats().begin() + 9);
        std::uint64_t state = 1;
        for (int i = 0; i < 150000; ++i) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            const double u = static_cast<double>(state >> 11) * 0x1p-53 - 0.5;
            v.insert(v.end(), {std::bit_cast<double>(state), u * 1600, u * 25, u * 2.5});
        }
        append_bends(v);
        return v;
    }();
    return all;
}

/// Arguments of functions of two: of any exponent, and such that sums cancel and powers are finite.
template <class T>
std::array<std::vector<T>, 2> pairs(std::size_t n) {
    std::array<std::vector<T>, 2> v;
    const auto put = [&](T a, T b) {
        v[0].push_back(a);
        v[1].push_back(b);
    };
    std::uint64_t state = 1;
    const auto draw = [&] { return state = state * 6364136223846793005u + 1442695040888963407u; };
    const auto bits = [&] {
        if constexpr (sizeof(T) == 4)
            return std::bit_cast<T>(static_cast<std::uint32_t>(draw() >> 32));
        else
            return std::bit_cast<T>(draw() >> 1 ^ draw() << 63);
    };
    const auto uniform = [&] { return static_cast<T>(static_cast<double>(draw() >> 11) * 0x1p-53); };
    for (std::size_t i = 0; i < n; ++i) {
        const T x = bits(), u = uniform();
        put(x, bits());
        put(x, x * (uniform() - 1));
        put(u, uniform() * 8 - 4);
        put(1 + (u - T(0.5)) / 1024, (uniform() - T(0.5)) * 4096);
        put(std::exp(u * 40 - 20), uniform() * 8 - 4);
    }
    std::vector<T> few;
    constexpr T infinity = std::numeric_limits<T>::infinity();
    for (const double c : {0.0, 0.5, 1.0, 2.0, 3.0, 1e30})
        few.insert(few.end(), {static_cast<T>(c), static_cast<T>(-c)});
    few.insert(few.end(),
               {infinity, -infinity, std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::denorm_min()});
    for (const T a : few)
        for (const T b : few) put(a, b);
    return v;
}

using Wide = long double;

// A product exact in both arguments' digits, as the sum of two: what a long double rounds away would be multiplied by
// the exponent in the tails.
template <class V>
struct Exact {
    V high, low;
};
template <class V>
Exact<V> product(V a, V b) {
    const V high = a * b;
    return {high, std::fma(a, b, -high)};
}

// x sigmoid(w).
template <class V>
V times_sigmoid(V x, Exact<V> w) {
    if (std::isinf(x)) return x < 0 ? V(-0.0) : x;
    const V e = std::exp(-std::fabs(w.high)) * (1 + (w.high < 0 ? w.low : -w.low));
    return w.high < 0 ? x * e / (1 + e) : x / (1 + e);
}
template <class V>
V gelu(V x) {
    if (std::isinf(x)) return x < 0 ? V(-0.0) : x;
    const V c = std::sqrt(V(0.5)), c_low = std::fma(-c, c, V(0.5)) / (2 * c);
    const Exact<V> z = product(-x, c);
    const V slope = -2 * std::numbers::inv_sqrtpi_v<V> * std::exp(-z.high * z.high);
    return x / 2 * (std::erfc(z.high) + slope * (z.low - x * c_low));
}
template <class V>
V gelu_tanh(V x) {
    if (std::fabs(x) > 1e3) return x < 0 ? V(-0.0) : x;
    constexpr double scale = std::numbers::inv_sqrtpi * std::numbers::sqrt2;
    const auto square = product(x, x), cubic = product(V(0.044715), square.high);
    const V sum = 1 + cubic.high;
    const V larger = std::max(V(1), cubic.high), smaller = std::min(V(1), cubic.high);
    const V sum_low = smaller - (sum - larger) + cubic.low + V(0.044715) * square.low;
    const auto linear = product(V(2 * scale), x), w = product(linear.high, sum);
    return times_sigmoid(x, Exact<V>{w.high, w.low + linear.high * sum_low + linear.low * sum});
}
template <class V>
V mish(V x) {
    if (std::isinf(x)) return x < 0 ? V(-0.0) : x;
    const V e = std::exp(-std::fabs(x));
    return x < 0 ? x * e * (e + 2) / (e * (e + 2) + 2) : x * (1 + 2 * e) / (1 + 2 * e * (1 + e));
}

// f(Op, reference) for every function; the references compute in the type they are given.
template <class F>
void for_each_function(F f) {
    f(weft::Negate{}, [](auto x) { return -x; });
    f(weft::Abs{}, [](auto x) { return std::fabs(x); });
    f(weft::Ceil{}, [](auto x) { return std::ceil(x); });
    f(weft::Floor{}, [](auto x) { return std::floor(x); });
    f(weft::Round{}, [](auto x) { return std::nearbyint(x); });
    f(weft::Sign{}, [](auto x) { return x > 0 ? decltype(x)(1) : x < 0 ? decltype(x)(-1) : decltype(x)(0); });
    f(weft::Square{}, [](auto x) { return x * x; });
    f(weft::Sqrt{}, [](auto x) { return std::sqrt(x); });
    f(weft::ReciprocalSqrt{}, [](auto x) { return 1 / std::sqrt(x); });
    f(weft::Reciprocal{}, [](auto x) { return 1 / x; });
    f(weft::Exp{}, [](auto x) { return std::exp(x); });
    f(weft::Expm1{}, [](auto x) { return std::expm1(x); });
    f(weft::Log{}, [](auto x) { return std::log(x); });
    f(weft::Log1p{}, [](auto x) { return std::log1p(x); });
    f(weft::Sin{}, [](auto x) { return std::sin(x); });
    f(weft::Cos{}, [](auto x) { return std::cos(x); });
    f(weft::Tan{}, [](auto x) { return std::tan(x); });
    f(weft::Tanh{}, [](auto x) { return std::tanh(x); });
    f(weft::Erf{}, [](auto x) { return std::erf(x); });
    f(weft::Erfc{}, [](auto x) { return std::erfc(x); });
    f(weft::Sigmoid{}, [](auto x) {
        const auto e = std::exp(-std::fabs(x));
        return (x < 0 ? e : 1) / (1 + e);
    });
    f(weft::Softplus{}, [](auto x) { return std::max(x, decltype(x)(0)) + std::log1p(std::exp(-std::fabs(x))); });
    f(weft::LogSigmoid{}, [](auto x) { return std::min(x, decltype(x)(0)) - std::log1p(std::exp(-std::fabs(x))); });
    f(weft::Silu{}, [](auto x) { return times_sigmoid(x, Exact<decltype(x)>{x, 0}); });
    f(weft::QuickGelu{}, [](auto x) { return times_sigmoid(x, product(decltype(x)(1.702), x)); });
    f(weft::Gelu{}, [](auto x) { return gelu(x); });
    f(weft::GeluTanh{}, [](auto x) { return gelu_tanh(x); });
    f(weft::Mish{}, [](auto x) { return mish(x); });
    f(weft::Relu{}, [](auto x) { return x < 0 ? 0 : x; });
    f(weft::Relu6{}, [](auto x) { return x < 0 ? 0 : x > 6 ? 6 : x; });
    f(weft::SquaredRelu{}, [](auto x) { return x < 0 ? 0 : x * x; });
    f(weft::LeakyRelu{}, [](auto x) { return x > 0 ? x : x / 128; });
    f(weft::Elu{}, [](auto x) { return x > 0 ? x : std::expm1(x); });
    f(weft::Celu{}, [](auto x) { return x > 0 ? x : std::expm1(x); });
    f(weft::Selu{}, [](auto x) {
        using V = decltype(x);
        const V lambda = weft::Selu::lambda;
        return x > 0 ? lambda * x : lambda * V(weft::Selu::alpha) * std::expm1(x);
    });
    f(weft::Hardtanh{}, [](auto x) { return x < -1 ? -1 : x > 1 ? 1 : x; });
    f(weft::Hardsigmoid{}, [](auto x) { return x < -3 ? 0 : x > 3 ? 1 : (x + 3) / 6; });
    f(weft::Hardswish{}, [](auto x) { return x < -3 ? 0 : x > 3 ? x : x * (x + 3) / 6; });
    f(weft::Softsign{},
      [](auto x) { return std::isinf(x) ? std::copysign(decltype(x)(1), x) : x / (1 + std::fabs(x)); });
    f(weft::Squareplus{}, [](auto x) {
        const auto root = std::hypot(x, decltype(x)(2)) + std::fabs(x);
        return x < 0 ? 2 / root : root / 2;
    });
}

// f(Op, reference) for every function of two arguments.
template <class F>
void for_each_function_of_two(F f) {
    f(weft::Add{}, [](auto a, auto b) { return a + b; });
    f(weft::Subtract{}, [](auto a, auto b) { return a - b; });
    f(weft::Multiply{}, [](auto a, auto b) { return a * b; });
    f(weft::Divide{}, [](auto a, auto b) { return a / b; });
    f(weft::Maximum{}, [](auto a, auto b) { return a != a ? a : b != b ? b : std::max(a, b); });
    f(weft::Minimum{}, [](auto a, auto b) { return a != a ? a : b != b ? b : std::min(a, b); });
    f(weft::Power{}, [](auto a, auto b) { return std::pow(a, b); });
}

} // namespace weft_test::accuracy
