// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/components.hpp>
#include <weft/so3/row_lanes.hpp>
#include <weft/so3/wigner_3j.hpp>

#include <numbers>

/// Products of functions on the sphere that are given by their components in real spherical harmonics (`integral`),
/// degrees 0 to L, as many functions side by side as a packet has lanes. Luo, Chen & Krishnapriyan (arXiv 2401.10216).
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
inline std::vector<double> legendre_functions(int lmax, double t) {
    std::vector<double> p(static_cast<std::size_t>((lmax + 1) * (lmax + 2) / 2));
    const auto at = [&](int l, int m) -> double& { return p[static_cast<std::size_t>(l * (l + 1) / 2 + m)]; };
    const double s = std::sqrt(1 - t * t);
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

/// y = P(a b), from degrees a and b to y, by all integrals of three harmonics that are not 0.
class GauntList {
public:
    GauntList() = default;
    GauntList(int a, int b, int y) {
        for (int l3 = 0; l3 <= y; ++l3)
            for (int k = 0; k <= 2 * l3; ++k) {
                begin_.push_back(terms_.size());
                for (int l1 = 0; l1 <= a; ++l1)
                    for (int l2 = std::abs(l1 - l3); l2 <= std::min(b, l1 + l3); ++l2) {
                        const double factor = gaunt_factor(l1, l2, l3);
                        if (factor == 0) continue;
                        for (const Coupling& c : *couplings(l1, l2, l3))
                            if (c.k == k) terms_.push_back({l1 * l1 + c.i, l2 * l2 + c.j, factor * c.value});
                    }
            }
        begin_.push_back(terms_.size());
    }
    double cost() const { return static_cast<double>(terms_.size()); }

    template <class T>
    WEFT_NOINLINE void multiply(const T* a, const T* b, T* y) const {
        using Scalar = typename weft::detail::DualScalar<T>::type;
        constexpr index w = lanes<T>;
        for (std::size_t k = 0; k + 1 < begin_.size(); ++k) {
            Packet<T> even = splat(T{}), odd = splat(T{});
            const auto product = [&](const Term& t) {
                return Packet<T>(load_packet(a + t.i * w) * load_packet(b + t.j * w));
            };
            std::size_t n = begin_[k];
            for (; n + 2 <= begin_[k + 1]; n += 2) {
                even = multiply_add(splat(T(static_cast<Scalar>(terms_[n].value))), product(terms_[n]), even);
                odd = multiply_add(splat(T(static_cast<Scalar>(terms_[n + 1].value))), product(terms_[n + 1]), odd);
            }
            if (n < begin_[k + 1])
                even = multiply_add(splat(T(static_cast<Scalar>(terms_[n].value))), product(terms_[n]), even);
            store_packet(y + static_cast<index>(k) * w, even + odd);
        }
    }

private:
    struct Term {
        int i, j;
        double value;
    };
    std::vector<Term> terms_;
    std::vector<std::size_t> begin_;
};

/// The same on circles of constant beta: there functions are trigonometric polynomials in alpha, whose products are
/// convolutions, and the integral over beta is one of Gauss and Legendre. Exact.
class GauntCircles {
public:
    GauntCircles() = default;
    GauntCircles(int a, int b, int y) : a_(a), b_(b), y_(y) {
        const int most = std::max({a, b, y});
        for (const auto& [t, weight] : legendre_quadrature((a + b + y) / 2 + 1)) {
            const auto p = legendre_functions(most, t);
            auto& from = from_.emplace_back(p);
            auto& to = to_.emplace_back(p);
            // Coefficients of e^(i m alpha) have a root of 2 less than those of the real harmonics.
            for (int l = 0; l <= most; ++l)
                for (int m = 0; m <= l; ++m) {
                    const auto at = static_cast<std::size_t>(l * (l + 1) / 2 + m);
                    from[at] *= m == 0 ? 1 : std::numbers::sqrt2 / 2;
                    to[at] *= 2 * std::numbers::pi * weight * (m == 0 ? 1 : std::numbers::sqrt2);
                }
        }
    }
    double cost() const {
        const double n = static_cast<double>(from_.size());
        return n * (static_cast<double>(components_up_to(a_) + components_up_to(b_) + components_up_to(y_)) +
                    4.0 * (2 * a_ + 1) * (2 * b_ + 1));
    }
    /// Elements that multiply() needs.
    template <class T>
    index scratch() const {
        return 4 * lanes<T> * ((a_ + 1) + (b_ + 1) + (y_ + 1));
    }

    template <class T>
    WEFT_NOINLINE void multiply(const T* a, const T* b, T* y, T* scratch) const {
        constexpr index w = lanes<T>;
        T* const circles_a = scratch;
        T* const circles_b = circles_a + 4 * w * (a_ + 1);
        T* const circles_y = circles_b + 4 * w * (b_ + 1);
        std::fill_n(y, components_up_to(y_) * w, T{});
        for (std::size_t node = 0; node < from_.size(); ++node) {
            evaluate(from_[node], a_, a, circles_a);
            evaluate(from_[node], b_, b, circles_b);
            for (const index side : {0, 1})
                convolve(circles_a + 2 * side * w, circles_b + 2 * side * w, circles_y + 2 * side * w);
            collect(to_[node], circles_y, y);
        }
    }

private:
    // A pair of circles, at beta and pi - beta: of each order m the real and the imaginary part of the first, then of
    // the second.
    template <class T>
    static Packet<T> factor(const std::vector<double>& p, int l, int m) {
        using Scalar = typename weft::detail::DualScalar<T>::type;
        return splat(T(static_cast<Scalar>(p[static_cast<std::size_t>(l * (l + 1) / 2 + m)])));
    }
    template <class T>
    static void evaluate(const std::vector<double>& p, int lmax, const T* x, T* circles) {
        constexpr index w = lanes<T>;
        for (int m = 0; m <= lmax; ++m, circles += 4 * w) {
            Packet<T> sums[2][2] = {{splat(T{}), splat(T{})}, {splat(T{}), splat(T{})}}; // by the parity of l + m
            for (int l = m; l <= lmax; ++l) {
                const Packet<T> f = factor<T>(p, l, m);
                Packet<T>* const sum = sums[(l + m) % 2];
                sum[0] = multiply_add(f, load_packet(x + (l * (l + 1) + m) * w), sum[0]);
                if (m > 0) sum[1] = multiply_add(f, load_packet(x + (l * (l + 1) - m) * w), sum[1]);
            }
            store_packet(circles, sums[0][0] + sums[1][0]);
            store_packet(circles + w, -(sums[0][1] + sums[1][1]));
            store_packet(circles + 2 * w, sums[0][0] - sums[1][0]);
            store_packet(circles + 3 * w, sums[1][1] - sums[0][1]);
        }
    }
    /// Coefficients of order m >= 0 of the product of two real functions; those of -m are the conjugate ones.
    template <class T>
    void convolve(const T* a, const T* b, T* y) const {
        constexpr index w = lanes<T>, step = 4 * w;
        for (int m = 0; m <= y_; ++m) {
            Packet<T> re = splat(T{}), im = splat(T{});
            const auto add = [&](const T* p, const T* q, auto sign_p, auto sign_q) {
                const Packet<T> pr = load_packet(p), qr = load_packet(q);
                Packet<T> pi = load_packet(p + w), qi = load_packet(q + w);
                if constexpr (sign_p < 0) pi = -pi;
                if constexpr (sign_q < 0) qi = -qi;
                re = multiply_add(pr, qr, re);
                re = multiply_add(Packet<T>(-pi), qi, re);
                im = multiply_add(pr, qi, im);
                im = multiply_add(pi, qr, im);
            };
            constexpr std::integral_constant<int, 1> same{};
            constexpr std::integral_constant<int, -1> conjugate{};
            for (int p = std::max(0, m - b_); p <= std::min(a_, m); ++p)
                add(a + p * step, b + (m - p) * step, same, same);
            for (int p = m + 1; p <= std::min(a_, m + b_); ++p) add(a + p * step, b + (p - m) * step, same, conjugate);
            for (int q = m + 1; q <= std::min(b_, m + a_); ++q) add(a + (q - m) * step, b + q * step, conjugate, same);
            store_packet(y + m * step, re);
            store_packet(y + m * step + w, im);
        }
    }
    template <class T>
    void collect(const std::vector<double>& p, const T* circles, T* y) const {
        constexpr index w = lanes<T>;
        for (int m = 0; m <= y_; ++m, circles += 4 * w) {
            const Packet<T> re[] = {load_packet(circles) + load_packet(circles + 2 * w),
                                    load_packet(circles) - load_packet(circles + 2 * w)};
            const Packet<T> im[] = {-(load_packet(circles + w) + load_packet(circles + 3 * w)),
                                    load_packet(circles + 3 * w) - load_packet(circles + w)};
            for (int l = m; l <= y_; ++l) {
                const Packet<T> f = factor<T>(p, l, m);
                T* const cosine = y + (l * (l + 1) + m) * w;
                store_packet(cosine, multiply_add(f, re[(l + m) % 2], load_packet(cosine)));
                if (m == 0) continue;
                T* const sine = y + (l * (l + 1) - m) * w;
                store_packet(sine, multiply_add(f, im[(l + m) % 2], load_packet(sine)));
            }
        }
    }

    int a_ = 0, b_ = 0, y_ = 0;
    std::vector<std::vector<double>> from_, to_; // of each pair of circles
};

} // namespace weft::inline WEFT_ABI::so3::detail
