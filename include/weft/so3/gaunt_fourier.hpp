// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/gaunt_circles.hpp>

#include <complex>

namespace weft::inline WEFT_ABI::so3 {

namespace detail {

/// The normalised Legendre function of degree l and order m >= 0, continued to all angles beta, is i^-p times the sum
/// over u = -l, ..., l of g_u e^(i u beta), with p the parity of m; g_-u = (-1)^p g_u. The rows g_-lmax, ..., g_lmax by
/// l (l + 1) / 2 + m.
inline std::vector<std::vector<double>> legendre_series(int lmax) {
    const int points = 2 * lmax + 2;
    std::vector<std::vector<double>> series(static_cast<std::size_t>((lmax + 1) * (lmax + 2) / 2),
                                            std::vector<double>(static_cast<std::size_t>(2 * lmax + 1)));
    for (int j = 0; j < points; ++j) {
        const auto angle = [&](int u) { return 2 * std::numbers::pi * (u * j % points) / points; };
        const auto p = legendre_functions(lmax, std::cos(angle(1)), std::sin(angle(1)));
        for (int l = 0, at = 0; l <= lmax; ++l)
            for (int m = 0; m <= l; ++m, ++at)
                for (int u = -l; u <= l; ++u)
                    // The rest is 0: the mean of i^p times the value times e^(-i u beta).
                    series[static_cast<std::size_t>(at)][static_cast<std::size_t>(u + lmax)] +=
                        p[static_cast<std::size_t>(at)] * (m % 2 == 0 ? std::cos(angle(u)) : std::sin(angle(u))) /
                        points;
    }
    return series;
}
/// The integral over beta from 0 to pi of e^(i n beta) sin beta.
inline std::complex<double> half_circle_integral(int n) {
    if (n == 1 || n == -1) return {0, n * std::numbers::pi / 2};
    return n % 2 == 0 ? 2.0 / (1.0 - double(n) * n) : 0;
}
/// Of e^(i u beta) sin beta times that function, given by its row g and the parity of its order.
inline std::complex<double> legendre_integral(const std::vector<double>& g, int order, int u) {
    const int lmax = (static_cast<int>(g.size()) - 1) / 2;
    std::complex<double> sum = 0;
    for (int v = -lmax; v <= lmax; ++v) sum += g[static_cast<std::size_t>(v + lmax)] * half_circle_integral(u + v);
    return order % 2 == 0 ? sum : sum * std::complex<double>(0, -1);
}
/// The coefficient of e^(i v alpha) in the factor of the real harmonic of order m that depends on alpha; |v| = |m|.
inline std::complex<double> azimuthal_coefficient(int m, int v) {
    if (m == 0) return 1;
    const double half = std::numbers::sqrt2 / 2;
    return m > 0 ? std::complex<double>(half) : std::complex<double>(0, v > 0 ? -half : half);
}

} // namespace detail

/// The real spherical harmonics (`integral`) as Fourier series on the torus to which their angles continue them:
/// Y_lm = sum over u, v of y_uv e^(i (u beta + v alpha)). [(lmax + 1)^2, 2 lmax + 1, 2 lmax + 1] by l^2 + l + m,
/// u + lmax, v + lmax; only v = m and -m, and u of the parity of l, are not 0. Errors: lmax is negative.
inline Tensor<std::complex<double>, 3> fourier_basis(int lmax) {
    if (lmax < 0) throw error("fourier_basis", "lmax is {}: must not be negative", lmax);
    const index n = 2 * lmax + 1;
    auto y = Tensor<std::complex<double>, 3>::zeros({components_up_to(lmax), n, n});
    const auto series = detail::legendre_series(lmax);
    for (int l = 0, at = 0; l <= lmax; ++l)
        for (int m = -l; m <= l; ++m, ++at)
            for (int u = -l; u <= l; ++u)
                for (const int v : {-m, m}) {
                    const double g = series[static_cast<std::size_t>(l * (l + 1) / 2 + std::abs(m))]
                                           [static_cast<std::size_t>(u + lmax)];
                    y.mutable_data()[(at * n + u + lmax) * n + v + lmax] =
                        g * detail::azimuthal_coefficient(m, v) * (m % 2 == 0 ? 1.0 : std::complex<double>(0, -1));
                }
    return y;
}
/// The way back: z_uv is the integral over the sphere of Y_lm e^(i (u beta + v alpha)), so that sum over u, v of F_uv
/// z_uv is a component of the function with the Fourier coefficients F. [(lmax + 1)^2, 2 most + 1, 2 most + 1], u and v
/// from -most on; only v = m and -m are not 0. Errors: a negative argument.
inline Tensor<std::complex<double>, 3> fourier_projection(int lmax, int most) {
    if (lmax < 0 || most < 0)
        throw error("fourier_projection", "lmax is {}, most {}: must not be negative", lmax, most);
    const index n = 2 * most + 1;
    auto z = Tensor<std::complex<double>, 3>::zeros({components_up_to(lmax), n, n});
    const auto series = detail::legendre_series(lmax);
    for (int l = 0, at = 0; l <= lmax; ++l)
        for (int m = -l; m <= l; ++m, ++at)
            for (int u = -most; u <= most; ++u)
                for (const int v : {-m, m})
                    if (std::abs(v) <= most)
                        z.mutable_data()[(at * n + u + most) * n + v + most] =
                            2 * std::numbers::pi * detail::azimuthal_coefficient(m, -v) *
                            detail::legendre_integral(series[static_cast<std::size_t>(l * (l + 1) / 2 + std::abs(m))],
                                                      m, u);
    return z;
}

namespace detail {

/// y = P(a b), from degrees a and b to y, by the Fourier coefficients of fourier_basis: their convolution in both
/// angles, then fourier_projection. Exact. Coefficients of order v >= 0 alone are kept, i^-p times complex numbers with
/// the symmetry of p in u. The convolution is computed by its definition: O(L^4), for comparison with the others.
class GauntFourier {
public:
    GauntFourier() = default;
    GauntFourier(int a, int b, int y) : a_(a), b_(b), y_(y), orders_(std::min(y, a + b)) {
        const int most = std::max(a, b), all = std::max(most, y);
        const auto series = legendre_series(all);
        std::vector<double> from, to;
        for (int m = 0; m <= most; ++m)
            for (int l = m; l <= most; ++l)
                for (int u = l % 2; u <= l; u += 2)
                    from.push_back(of(series, l, m)[static_cast<std::size_t>(u + all)] * (m == 0 ? 1 : half()));
        for (int m = 0; m <= orders_; ++m)
            for (int l = m; l <= y; ++l)
                for (int u = 0; u <= a + b; ++u) {
                    // of u and -u, whose coefficients are the same but for the sign of odd orders
                    const auto integral = legendre_integral(of(series, l, m), m, u);
                    const double both = u == 0 ? integral.real() : 2 * (m % 2 == 0 ? integral.real() : integral.imag());
                    to.push_back(2 * std::numbers::pi * both * (m == 0 ? 1 : 2 * half()));
                }
        from_ = Constants(std::move(from));
        to_ = Constants(std::move(to));
    }
    /// Multiplications, about.
    static double cost(int a, int b, int y) {
        const double orders = std::min(y, a + b) + 1;
        return 2 * (2 * a + 1.0) * (2 * b + 1) * (std::min(a, b) + 1.0) * orders +
               static_cast<double>(components_up_to(y)) * (a + b + 1);
    }
    /// Elements that multiply() needs.
    template <class T>
    index scratch() const {
        return Orders{a_}.size<T>() * (2 * a_ + 1) + Orders{b_}.size<T>() * (2 * b_ + 1) + 2 * lanes<T> * (a_ + b_ + 1);
    }

    template <class T>
    void multiply(const T* a, const T* b, T* y, T* scratch) const {
        constexpr index w = lanes<T>;
        const Orders in_a{a_}, in_b{b_}; // of u
        const index row_a = in_a.size<T>(), row_b = in_b.size<T>();
        T* const of_a = scratch;
        T* const of_b = of_a + row_a * (2 * a_ + 1);
        T* const sum = of_b + row_b * (2 * b_ + 1);
        evaluate(a_, a, of_a);
        evaluate(b_, b, of_b);
        std::fill_n(y, components_up_to(y_) * w, T{});
        const auto* factor = to_.of<T>();
        for (int m = 0; m <= orders_; ++m) {
            std::fill_n(sum, 2 * w * (a_ + b_ + 1), T{});
            // Both orders are odd: i^-1 i^-1 = -1. These come first.
            for (const int odd : {1, 0}) {
                for (int p = std::max(-a_, m - b_); p <= std::min(a_, m + b_); ++p) {
                    const bool both_odd = p % 2 != 0 && (m - p) % 2 != 0;
                    if (both_odd == (odd == 1))
                        convolve_complex<true>(in_a.zero(of_a + (p + a_) * row_a), a_,
                                               in_b.zero(of_b + (m - p + b_) * row_b), b_, sum, 0, a_ + b_);
                }
                if (odd == 1 && m % 2 == 0)
                    for (int u = 0; u <= 2 * (a_ + b_) + 1; ++u) store_packet(sum + u * w, -load_packet(sum + u * w));
            }
            for (int l = m; l <= y_; ++l) {
                Packet<T> re = splat(T{}), im = re;
                for (int u = 0; u <= a_ + b_; ++u, ++factor) {
                    re = multiply_add(constant<T>(*factor), load_packet(sum + 2 * u * w), re);
                    im = multiply_add(constant<T>(*factor), load_packet(sum + (2 * u + 1) * w), im);
                }
                store_packet(y + (l * (l + 1) - m) * w, -im);
                store_packet(y + (l * (l + 1) + m) * w, re); // of m = 0, this
            }
        }
    }

private:
    static double half() { return std::numbers::sqrt2 / 2; }
    static const std::vector<double>& of(const std::vector<std::vector<double>>& series, int l, int m) {
        return series[static_cast<std::size_t>(l * (l + 1) / 2 + m)];
    }
    /// The rows of coefficients of orders -lmax, ..., lmax, each of u = -lmax, ..., lmax with a 0 on either side.
    template <class T>
    void evaluate(int lmax, const T* x, T* rows) const {
        constexpr index w = lanes<T>;
        const int most = std::max(a_, b_);
        const Orders in{lmax};
        std::fill_n(rows, in.size<T>() * (2 * lmax + 1), T{});
        const auto* table = from_.of<T>();
        for (int m = 0; m <= lmax; ++m) {
            T* const to = in.zero(rows + (lmax + m) * in.size<T>());
            T* const conjugate = in.zero(rows + (lmax - m) * in.size<T>());
            const int sign = m % 2 == 0 ? 1 : -1;
            for (int l = m; l <= most; ++l)
                for (int u = l % 2; u <= l; u += 2, ++table) {
                    if (l > lmax) continue;
                    const Packet<T> f = constant<T>(*table);
                    T* const at = to + 2 * u * w;
                    store_packet(at, multiply_add(f, load_packet(x + (l * (l + 1) + m) * w), load_packet(at)));
                    if (m > 0)
                        store_packet(at + w, multiply_add(Packet<T>(-f), load_packet(x + (l * (l + 1) - m) * w),
                                                          load_packet(at + w)));
                }
            for (int u = 0; u <= lmax; ++u) {
                const Packet<T> re = load_packet(to + 2 * u * w), im = load_packet(to + (2 * u + 1) * w);
                const Packet<T> other_re = sign > 0 ? re : Packet<T>(-re), other_im = sign > 0 ? im : Packet<T>(-im);
                if (u > 0) {
                    store_packet(to - 2 * u * w, other_re);
                    store_packet(to - 2 * u * w + w, other_im);
                }
                if (m == 0) continue;
                store_packet(conjugate + 2 * u * w, re);
                store_packet(conjugate + (2 * u + 1) * w, -im);
                if (u > 0) {
                    store_packet(conjugate - 2 * u * w, other_re);
                    store_packet(conjugate - 2 * u * w + w, -other_im);
                }
            }
        }
    }

    int a_ = 0, b_ = 0, y_ = 0, orders_ = 0;
    Constants from_, to_;
};

} // namespace detail
} // namespace weft::inline WEFT_ABI::so3
