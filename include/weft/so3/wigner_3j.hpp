// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/tensor.hpp>

#include <cmath>
#include <complex>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <vector>

/// The couplings of real irreps of SO(3), with the signs and the normalisation of e3nn.
namespace weft::inline WEFT_ABI::so3 {

/// An entry C_ijk of the real 3j symbols that is not zero; i, j, k count from 0.
struct Coupling {
    int i, j, k;
    double value;
};

namespace detail {

inline void require_triangle(int l1, int l2, int l3) {
    if (l1 < 0 || l2 < 0 || l3 < 0 || l3 > l1 + l2 || l1 > l2 + l3 || l2 > l1 + l3)
        throw error("wigner_3j", "degrees {}, {}, {}: each must lie between the difference and the sum of the others",
                    l1, l2, l3);
}

inline long double binomial(int n, int k) {
    if (k < 0 || k > n) return 0;
    long double b = 1;
    for (int i = 1; i <= k; ++i) b = b * static_cast<long double>(n - k + i) / static_cast<long double>(i);
    return std::round(b);
}

/// The Clebsch-Gordan coefficient <l1 m1 l2 m2 | l3 m1+m2>, but for a positive factor that depends on the degrees
/// alone: Racah's formula by binomial coefficients, whose sum is one of integers below 2^(l1 + l2 + l3).
inline long double clebsch_gordan(int l1, int m1, int l2, int m2, int l3) {
    long double sum = 0;
    for (int k = 0; k <= l1 + l2 - l3; ++k)
        sum += (k % 2 == 0 ? 1 : -1) * binomial(l1 + l2 - l3, k) * binomial(l1 - l2 + l3, l1 - m1 - k) *
               binomial(-l1 + l2 + l3, l2 + m2 - k);
    return sum / std::sqrt(binomial(2 * l1, l1 + m1) * binomial(2 * l2, l2 + m2) * binomial(2 * l3, l3 + m1 + m2));
}

/// Calls f(real component, factor) for the real spherical harmonics of which the complex one of order m is made.
template <class F>
void for_real_components(int l, int m, F&& f) {
    using Complex = std::complex<long double>;
    constexpr Complex powers[] = {{1, 0}, {0, -1}, {-1, 0}, {0, 1}}; // of -i
    const Complex phase = powers[l % 4];
    const long double half = std::sqrt(0.5L), sign = m % 2 == 0 ? 1 : -1;
    if (m == 0) {
        f(0, phase);
    } else if (m < 0) {
        f(-m, phase * half);
        f(m, phase * Complex(0, -half));
    } else {
        f(m, phase * (sign * half));
        f(-m, phase * Complex(0, sign * half));
    }
}

inline std::vector<Coupling> compute_couplings(int l1, int l2, int l3) {
    require_triangle(l1, l2, l3);
    const int d1 = 2 * l1 + 1, d2 = 2 * l2 + 1, d3 = 2 * l3 + 1;
    std::vector<long double> dense(static_cast<std::size_t>(d1 * d2 * d3));
    for (int m1 = -l1; m1 <= l1; ++m1)
        for (int m2 = -l2; m2 <= l2; ++m2) {
            if (std::abs(m1 + m2) > l3) continue;
            const long double value = clebsch_gordan(l1, m1, l2, m2, l3);
            for_real_components(l1, m1, [&](int i, std::complex<long double> a) {
                for_real_components(l2, m2, [&](int j, std::complex<long double> b) {
                    for_real_components(l3, m1 + m2, [&](int k, std::complex<long double> c) {
                        dense[static_cast<std::size_t>(((i + l1) * d2 + j + l2) * d3 + k + l3)] +=
                            (a * b * std::conj(c)).real() * value;
                    });
                });
            });
        }
    long double squares = 0;
    for (const long double x : dense) squares += x * x;
    const long double scale = 1 / std::sqrt(squares);
    std::vector<Coupling> couplings;
    for (int i = 0, at = 0; i < d1; ++i)
        for (int j = 0; j < d2; ++j)
            for (int k = 0; k < d3; ++k, ++at) {
                const auto value = static_cast<double>(dense[static_cast<std::size_t>(at)] * scale);
                if (std::abs(value) > 1e-12) couplings.push_back({i, j, k, value});
            }
    return couplings;
}

/// The couplings of three degrees, ordered by i, j, k; computed once.
inline std::shared_ptr<const std::vector<Coupling>> couplings(int l1, int l2, int l3) {
    using Shared = std::shared_ptr<const std::vector<Coupling>>;
    static std::mutex mutex;
    static std::map<std::tuple<int, int, int>, Shared> known;
    const std::lock_guard lock(mutex);
    Shared& found = known[{l1, l2, l3}];
    if (!found) found = std::make_shared<const std::vector<Coupling>>(compute_couplings(l1, l2, l3));
    return found;
}

} // namespace detail

/// The real 3j symbols C [2 l1 + 1, 2 l2 + 1, 2 l3 + 1], the only tensor of that shape, up to a factor, that rotations
/// leave as it is, with the sum of its squares 1. As e3nn.o3.wigner_3j: the sign is that with which the integral of
/// three spherical harmonics is positive where it is not 0. Exact to rounding. Errors: the degrees make no triangle.
inline Tensor<double, 3> wigner_3j(int l1, int l2, int l3) {
    detail::require_triangle(l1, l2, l3);
    auto dense = Tensor<double, 3>::zeros({2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1});
    double* const to = dense.mutable_data();
    for (const Coupling& c : *detail::couplings(l1, l2, l3))
        to[(c.i * (2 * l2 + 1) + c.j) * (2 * l3 + 1) + c.k] = c.value;
    return dense;
}

} // namespace weft::inline WEFT_ABI::so3
