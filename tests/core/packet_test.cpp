// SPDX-License-Identifier: MIT
#include "weft_test.hpp"

#include <weft/core/packet.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using weft::Dual, weft::Packet;

namespace {

template <class T>
constexpr std::size_t width = static_cast<std::size_t>(weft::lanes<T>);

template <class T>
std::array<T, width<T>> lanes_of(const Packet<T>& p) {
    std::array<T, width<T>> values;
    weft::store_packet<T>(values.data(), p);
    return values;
}

/// Numbers none of which is another's, with signs.
template <class T>
std::vector<T> some(std::size_t n) {
    std::vector<T> x;
    for (std::size_t i = 0; i < n; ++i)
        x.push_back(T((i % 2 == 0 ? 1.0 : -1.0) * (1.1 + 0.37 * static_cast<double>(i))));
    return x;
}

template <class T>
bool same_bits(T a, T b) {
    return std::memcmp(&a, &b, sizeof(T)) == 0;
}

} // namespace

TEMPLATE_TEST_CASE("packets: parts of them are read and written, and nothing behind", "[core]", float, double) {
    using T = TestType;
    const auto x = some<T>(width<T>);
    const Packet<T> p = weft::load_packet(x.data());
    for (weft::index n = 0; n <= weft::lanes<T>; ++n) {
        const auto count = static_cast<std::size_t>(n);
        INFO(n << " of " << weft::lanes<T>);
        const auto first = lanes_of<T>(weft::first_lanes<T>(p, n));
        for (std::size_t i = 0; i < width<T>; ++i) REQUIRE(first[i] == (i < count ? x[i] : T(0)));
        if (count == width<T>) continue;

        std::vector<T> written(width<T>, T(7));
        weft::store_first<T>(written.data(), p, n);
        for (std::size_t i = 0; i < width<T>; ++i) REQUIRE(written[i] == (i < count ? x[i] : T(7)));

        const std::vector<T> few(x.begin(), x.begin() + n); // the sanitizers see what is read behind it
        const auto filled = lanes_of<T>(weft::load_first<T>(few.data(), n, T(5)));
        for (std::size_t i = 0; i < width<T>; ++i) REQUIRE(filled[i] == (i < count ? x[i] : T(5)));
        const auto open = lanes_of<T>(weft::load_first<T>(x.data(), n)),
                   near = lanes_of<T>(weft::load_short(x.data(), n));
        for (std::size_t i = 0; i < count; ++i) {
            REQUIRE(open[i] == x[i]);
            REQUIRE(near[i] == x[i]);
        }
    }
}

TEMPLATE_TEST_CASE("packets: lanes are asked, added and moved", "[core]", float, double) {
    using T = TestType;
    std::vector<T> x(width<T>, T(0));
    std::uint32_t expected = 0;
    for (std::size_t i = 0; i < width<T>; i += 2) {
        x[i] = i % 4 == 0 ? -std::numeric_limits<T>::denorm_min() : std::numeric_limits<T>::infinity();
        expected |= 1u << i;
    }
    x[width<T> - 1] = T(-0.0);
    if (width<T> % 2 == 1) expected &= ~(1u << (width<T> - 1));
    REQUIRE(weft::nonzero_lanes<T>(weft::load_packet(x.data())) == expected);

    const auto y = some<T>(width<T>);
    T sum = 0;
    for (const T v : y) sum += v;
    REQUIRE(weft::sum_lanes<T>(weft::load_packet(y.data())) == Approx(sum).margin(1e-5));

    // A monoid that does not commute says in which order.
    struct Join {
        static Packet<T> combine(const Packet<T>& a, const Packet<T>& b) { return a - b * T(0.5); }
    };
    std::vector<T> joined = y;
    for (std::size_t half = width<T> / 2; half > 0; half /= 2)
        for (std::size_t i = 0; i < half; ++i) joined[i] = joined[i] - joined[i + half] * T(0.5);
    const auto all = weft::combine_lanes<Join, T>(weft::load_packet(y.data()));
    REQUIRE(weft::first_lane<T>(all) == Approx(joined[0]).epsilon(1e-5));
    REQUIRE(weft::first_lane<T>(all) == lanes_of<T>(all)[0]);

    std::array<int, 16> lane{};
    for (std::size_t i = 0; i < width<T>; ++i) lane[i] = static_cast<int>((3 * i + 1) % width<T>);
    const auto moved =
        lanes_of<T>(weft::permute<T>(weft::load_packet(y.data()), weft::make_lane_index<T>(lane.data())));
    for (std::size_t i = 0; i < width<T>; ++i) REQUIRE(moved[i] == y[static_cast<std::size_t>(lane[i])]);
}

TEST_CASE("packets: floats in double", "[core]") {
    const auto x = some<float>(width<float>);
    const auto p = weft::load_packet(x.data());
    const auto low = lanes_of<double>(weft::widen_part<0>(p)), high = lanes_of<double>(weft::widen_part<1>(p));
    for (std::size_t i = 0; i < width<double>; ++i) {
        REQUIRE(low[i] == static_cast<double>(x[i]));
        REQUIRE(high[i] == static_cast<double>(x[width<double> + i]));
    }
}

TEMPLATE_TEST_CASE("packets: Duals are values and tangents", "[core]", float, double) {
    using T = TestType;
    const auto x = some<T>(2 * width<T>);
    std::vector<Dual<T>> numbers(width<T>), back(width<T>);
    for (std::size_t i = 0; i < width<T>; ++i) numbers[i] = {x[2 * i], x[2 * i + 1]};
    const auto p = weft::load_packet(numbers.data());
    const auto value = lanes_of<T>(p.value), tangent = lanes_of<T>(p.tangent);
    weft::store_packet(back.data(), p);
    for (std::size_t i = 0; i < width<T>; ++i) {
        REQUIRE(value[i] == numbers[i].value);
        REQUIRE(tangent[i] == numbers[i].tangent);
        REQUIRE(back[i].value == numbers[i].value);
        REQUIRE(back[i].tangent == numbers[i].tangent);
    }
}

TEMPLATE_TEST_CASE("packets: what a product lost, to the last bit", "[core]", float, double) {
    using T = TestType;
    const auto x = some<T>(200);
    for (std::size_t i = 0; i + 1 < x.size(); ++i) {
        const Packet<T> a(x[i]), b(x[i + 1]), product = a * b;
        const T error = std::fma(x[i], x[i + 1], -(x[i] * x[i + 1]));
        REQUIRE(same_bits(lanes_of<T>(weft::product_error(a, b, product))[0], error));
        // Fused or not, but not anything else.
        const T fused = lanes_of<T>(weft::multiply_add(a, b, Packet<T>(-product)))[0];
        REQUIRE((fused == error || fused == 0));
    }
}

TEMPLATE_TEST_CASE("packets: quotients and roots are rounded correctly, and those of 0 and infinity", "[core]", float,
                   double) {
    using T = TestType;
    auto x = some<T>(100);
    for (const T v : {T(0), std::numeric_limits<T>::infinity(), std::numeric_limits<T>::max(), T(1e-30)}) {
        x.push_back(v);
        x.push_back(-v);
    }
    for (const T a : x) {
        const T root = lanes_of<T>(sqrt(Packet<T>(a)))[0];
        INFO(a << ": " << root);
        REQUIRE((a < 0 ? std::isnan(root) : same_bits(root, std::sqrt(a))));
        for (const T b : x) {
            const T quotient = lanes_of<T>(Packet<T>(a) / Packet<T>(b))[0], exact = a / b;
            INFO(a << " / " << b << ": " << quotient);
            REQUIRE((std::isnan(exact) ? std::isnan(quotient) : same_bits(quotient, exact)));
        }
    }
}

TEMPLATE_TEST_CASE("packets: nearest integers, exponents", "[core]", float, double) {
    using T = TestType;
    using Limits = std::numeric_limits<T>;
    for (const T v : {T(0), T(0.5), T(1.5), T(2.5), T(0.49999997), T(8388607.5), T(8388609), T(3e9),
                      T(4503599627370495.5), T(1e30), Limits::min(), Limits::infinity(), Limits::quiet_NaN()})
        for (const T x : {v, -v}) {
            INFO(x);
            const T nearest = lanes_of<T>(weft::nearest_integer(Packet<T>(x)))[0];
            if (std::isnan(x))
                REQUIRE(std::isnan(nearest));
            else
                REQUIRE(same_bits(nearest, std::nearbyint(x)));
        }
    constexpr int most = Limits::max_exponent - 1, least = Limits::min_exponent - Limits::digits;
    const T large = sizeof(T) == 4 ? 256 : 2048, below = std::nextafter(large, T(0));
    for (int n = 2 * (Limits::min_exponent - 1); n <= 2 * most; ++n)
        for (const T x :
             {T(1), T(-1.25), Limits::min(), T(1.75) * Limits::denorm_min(), below, -below, Limits::max()}) {
            if (std::abs(x) >= large && n < (sizeof(T) == 4 ? -158 : -1086)) continue;
            // A result that is subnormal may be rounded twice.
            const T exact = std::ldexp(x, n),
                    scaled = lanes_of<T>(weft::scale_exponent(Packet<T>(x), Packet<T>(T(n))))[0];
            INFO(x << " 2^" << n << " is " << exact << ", not " << scaled);
            REQUIRE((scaled == exact ||
                     (std::abs(exact) < Limits::min() && std::abs(scaled - exact) <= Limits::denorm_min())));
            REQUIRE(std::signbit(scaled) == std::signbit(x));
        }
    for (int n = least + 1; n <= most; ++n)
        for (const T mantissa : {T(1), T(1.41), T(1.42), T(1.999)}) {
            const T x = std::ldexp(mantissa, n);
            INFO(x);
            const auto parts = weft::split_exponent(Packet<T>(x));
            const T exponent = lanes_of<T>(parts.exponent)[0], fraction = lanes_of<T>(parts.fraction)[0];
            REQUIRE(fraction >= T(0.7071067));
            REQUIRE(fraction <= T(1.4142136));
            REQUIRE(std::ldexp(fraction, static_cast<int>(exponent)) == x);
        }
}
