// SPDX-License-Identifier: MIT
#include "weft_test.hpp"

#include <weft/core/ops.hpp>
#include <weft/core/parallel_for.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

// Every function of one argument in core/ops states its largest error. Here it is measured: a statement that is
// exceeded fails, and so does one that is more than three times what is measured (that much lies between instruction
// sets with and without fused multiply-adds). float functions are measured against double, over every 4099th float in
// every run, over all of them in the one tagged [slow], and double functions against long double.

using weft::Packet;
namespace math = weft::math;

namespace {

template <class T>
struct Worst {
    double ulps = 0;
    T at = 0;
    void add(double u, T x) {
        if (u > ulps) *this = {u, x};
    }
};

// The distance from the exact value in units of the last place of T there; infinite where only one of them is finite,
// but that beside overflow an infinity counts as the power of two behind the largest number.
template <class T, class Wider>
bool at_limit(T got, Wider exact) {
    return std::isnan(got) || !std::isfinite(exact) || (std::isinf(got) && std::isinf(static_cast<T>(exact)));
}
template <class T, class Wider>
double distance_at_limit(T got, Wider exact) {
    const T rounded = static_cast<T>(exact);
    return got == rounded || (std::isnan(got) && std::isnan(rounded)) ? 0 : std::numeric_limits<double>::infinity();
}
double ulps(float got, double exact) {
    if (at_limit(got, exact)) return distance_at_limit(got, exact);
    const std::uint64_t exponent =
        std::clamp(std::bit_cast<std::uint32_t>(static_cast<float>(exact)) >> 23 & 255u, 1u, 254u);
    const double reached = std::isinf(got) ? std::copysign(0x1p128, double{got}) : double{got};
    return std::fabs(reached - exact) * std::bit_cast<double>((1023 + 150 - exponent) << 52);
}
double ulps(double got, long double exact) {
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

// Every 4099th float, of any exponent and sign, and the special ones.
const std::vector<float>& floats() {
    static const std::vector<float> all = [] {
        constexpr float infinity = std::numeric_limits<float>::infinity();
        std::vector<float> v{0.0f, -0.0f, infinity, -infinity, std::numeric_limits<float>::quiet_NaN(), 1, -1, 3, -3};
        for (std::uint64_t bits = 0; bits >> 32 == 0; bits += 4099)
            v.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
        return v;
    }();
    return all;
}
// Doubles of any exponent and sign, and more where functions bend.
const std::vector<double>& doubles() {
    static const std::vector<double> all = [] {
        std::vector<double> v(floats().begin(), floats().begin() + 9);
        std::uint64_t state = 1;
        for (int i = 0; i < 150000; ++i) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            const double u = static_cast<double>(state >> 11) * 0x1p-53 - 0.5;
            v.insert(v.end(), {std::bit_cast<double>(state), u * 1600, u * 25, u * 2.5});
        }
        return v;
    }();
    return all;
}

void check(const char* name, const char* type, const auto& worst, double stated) {
    INFO(name << " of " << type << ": " << worst.ulps << " ulp at " << worst.at << ", stated are " << stated);
    CHECK(worst.ulps <= stated);
    CHECK(worst.ulps >= stated / 3);
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

// Beyond their range, sine, cosine and tangent are those of <cmath>, and take minutes.
template <class Op>
constexpr float range = std::numeric_limits<float>::infinity();
template <>
constexpr float range<weft::Sin> = 2048;
template <>
constexpr float range<weft::Cos> = 2048;
template <>
constexpr float range<weft::Tan> = 2048;

} // namespace

TEST_CASE("accuracy: float functions have the errors they state", "[core]") {
    for_each_function([](auto op, auto exact) {
        using Op = decltype(op);
        const auto worst = worst_of<Op>(floats(), [&](float x) { return static_cast<double>(exact(double{x})); });
        check(Op::name, "float", worst, Op::accuracy.single_precision);
    });
}

TEST_CASE("accuracy: double functions have the errors they state", "[core]") {
    for_each_function([](auto op, auto exact) {
        using Op = decltype(op);
        const auto worst = worst_of<Op>(doubles(), [&](double x) { return static_cast<Wide>(exact(Wide{x})); });
        check(Op::name, "double", worst, Op::accuracy.double_precision);
    });
}

// The reference is the same function of double, which the case above has compared.
TEST_CASE("accuracy: float functions have the errors they state, over all floats", "[core][.slow]") {
    for_each_function([](auto op, auto) {
        using Op = decltype(op);
        constexpr std::uint32_t parts = 1024, length = std::uint32_t{1} << 22;
        std::vector<Worst<float>> worst(parts);
        weft::parallel_for(parts, [&](weft::index part) {
            Worst<float> here;
            float x[block], y[block];
            double wide[block], exact[block];
            for (std::uint32_t at = 0; at < length; at += block) {
                for (std::uint32_t i = 0; i < block; ++i) {
                    x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(part) * length + at + i);
                    wide[i] = x[i];
                }
                if (std::fabs(x[0]) > range<Op>) continue;
                evaluate<Op>(x, y);
                evaluate<Op>(wide, exact);
                for (std::size_t i = 0; i < block; ++i) here.add(ulps(y[i], exact[i]), x[i]);
            }
            worst[static_cast<std::size_t>(part)] = here;
        });
        for (const auto& w : worst) worst.front().add(w.ulps, w.at);
        check(Op::name, "float", worst.front(), Op::accuracy.single_precision);
    });
}

TEST_CASE("accuracy: powers are within 1 ulp", "[core]") {
    double worst = 0, worst_double = 0;
    for (const float x : floats()) {
        float lane[block];
        double wide[block];
        weft::store_packet(lane, weft::Power::value(Packet<float>(x), Packet<float>(2.75f)));
        weft::store_packet(wide, weft::Power::value(Packet<double>(x), Packet<double>(2.75)));
        worst = std::max(worst, ulps(lane[0], std::pow(double{x}, 2.75)));
        worst_double = std::max(worst_double, ulps(wide[0], std::pow(Wide{x}, Wide{2.75})));
    }
    CHECK(worst <= 1);
    CHECK(worst_double <= 1);
}

TEST_CASE("accuracy: signed zeros", "[core]") {
    for_each_function([](auto op, auto exact) {
        using Op = decltype(op);
        INFO(Op::name);
        const float x[block] = {-0.0f}, zero = static_cast<float>(exact(-0.0));
        float y[block];
        evaluate<Op>(x, y);
        CHECK(std::signbit(y[0]) == std::signbit(zero));
    });
}
