// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/packet.hpp>
#include <weft/so3/wigner_3j.hpp>

#include <numbers>
#include <utility>

/// What the ways to multiply functions on the sphere share. The functions are given by their components in real
/// spherical harmonics (`integral`), degrees 0 to L, as many side by side as a packet has lanes.
/// Luo, Chen & Krishnapriyan (arXiv 2401.10216).
namespace weft::inline WEFT_ABI::so3::detail {

/// The factor of the 3j symbols in the integral of three harmonics: 0 where the sum of the degrees is odd.
inline double gaunt_factor(int l1, int l2, int l3) {
    require_triangle(l1, l2, l3);
    const int sum = l1 + l2 + l3, half = sum / 2;
    if (sum % 2 != 0) return 0;
    // (l1 l2 l3; 0 0 0)^2 = multinomial(half; ...)^2 / multinomial(sum; sum - 2 l) / (sum + 1)
    const auto multinomial = [](int n, int a, int b) { return binomial(n, a) * binomial(n - a, b); };
    const long double m = multinomial(half, half - l1, half - l2);
    const long double square = m * m / multinomial(sum, sum - 2 * l1, sum - 2 * l2) / (sum + 1);
    return static_cast<double>(
        std::sqrt((2 * l1 + 1) * (2 * l2 + 1) * (2 * l3 + 1) * square / (4 * std::numbers::pi_v<long double>)));
}

/// Nodes t > 0, and t = 0 with half its weight, and weights of Gauss-Legendre quadrature of n points in [-1, 1]: each
/// stands for t and -t.
struct QuadraturePair {
    double node, weight;
};
inline std::vector<QuadraturePair> legendre_quadrature(int n) {
    std::vector<QuadraturePair> pairs;
    for (int i = 0; i < (n + 1) / 2; ++i) {
        long double t = std::cos(std::numbers::pi_v<long double> * (i + 0.75L) / (n + 0.5L)), slope = 1;
        for (int step = 0; step < 100; ++step) {
            long double before = 0, p = 1;
            for (int l = 1; l <= n; ++l) {
                const long double next = ((2 * l - 1) * t * p - (l - 1) * before) / l;
                before = p;
                p = next;
            }
            slope = n * (t * p - before) / (t * t - 1);
            const long double change = p / slope;
            t -= change;
            if (std::abs(change) < 1e-19L) break;
        }
        const bool middle = n % 2 == 1 && i == n / 2;
        if (middle) t = 0;
        pairs.push_back(
            {static_cast<double>(t), static_cast<double>(2 / ((1 - t * t) * slope * slope) / (middle ? 2 : 1))});
    }
    return pairs;
}

/// The normalised associated Legendre functions of t, without the root of 2 of the real harmonics: l (l + 1) / 2 + m.
/// `s` is the root of 1 - t^2, and the functions of odd m have its sign.
inline std::vector<double> legendre_functions(int lmax, double t, double s) {
    std::vector<double> p(static_cast<std::size_t>((lmax + 1) * (lmax + 2) / 2));
    const auto at = [&](int l, int m) -> double& { return p[static_cast<std::size_t>(l * (l + 1) / 2 + m)]; };
    at(0, 0) = std::sqrt(1 / (4 * std::numbers::pi));
    for (int m = 1; m <= lmax; ++m) at(m, m) = at(m - 1, m - 1) * s * std::sqrt((2.0 * m + 1) / (2.0 * m));
    for (int m = 0; m < lmax; ++m) at(m + 1, m) = t * std::sqrt(2.0 * m + 3) * at(m, m);
    for (int m = 0; m <= lmax; ++m)
        for (int l = m + 2; l <= lmax; ++l) {
            const double a = std::sqrt((4.0 * l * l - 1) / (double(l) * l - double(m) * m));
            const double b = std::sqrt((double(l - 1) * (l - 1) - double(m) * m) / (4.0 * (l - 1) * (l - 1) - 1));
            at(l, m) = a * (t * at(l - 1, m) - b * at(l - 2, m));
        }
    return p;
}

/// Numbers of a table, in the precision of the kernel that reads them.
class Constants {
public:
    Constants() = default;
    explicit Constants(std::vector<double> values) : wide_(std::move(values)), narrow_(wide_.size()) {
        for (std::size_t i = 0; i < wide_.size(); ++i) narrow_[i] = static_cast<float>(wide_[i]);
    }
    template <class T>
    const typename weft::detail::DualScalar<T>::type* of() const {
        if constexpr (std::is_same_v<typename weft::detail::DualScalar<T>::type, float>)
            return narrow_.data();
        else
            return wide_.data();
    }

private:
    std::vector<double> wide_;
    std::vector<float> narrow_;
};
template <class T, class Scalar>
WEFT_ALWAYS_INLINE Packet<T> constant(Scalar value) {
    return splat(T(value));
}

} // namespace weft::inline WEFT_ABI::so3::detail
