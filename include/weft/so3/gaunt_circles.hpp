// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/components.hpp>
#include <weft/so3/gaunt_kernel.hpp>

namespace weft::inline WEFT_ABI::so3::detail {

/// Circles of constant beta, at which functions of degrees up to `lmax` have their nodes of Gauss and Legendre. There
/// they are trigonometric polynomials, given by the coefficients c_m of e^(i m alpha), m >= 0, real and imaginary part
/// one behind the other; those of -m are the conjugate ones. Circles come in pairs at beta and pi - beta, which share
/// the sums over even and over odd l + m, and pairs in groups, which share what is loaded.
class Circles {
public:
    static constexpr int largest_group = 4;

    Circles() = default;
    /// Integrals of what has degrees below 2 `nodes` are exact.
    Circles(int lmax, int nodes) : lmax_(lmax) {
        const auto pairs = legendre_quadrature(nodes);
        const int count = static_cast<int>(pairs.size()), groups = (count + largest_group - 1) / largest_group;
        for (int g = 0, begin = 0; g < groups; ++g) {
            const int end = count * (g + 1) / groups, size = end - begin;
            std::vector<double> from(static_cast<std::size_t>((lmax + 1) * (lmax + 2) / 2 * size)), to = from;
            for (int k = 0; k < size; ++k) {
                const auto& [t, weight] = pairs[static_cast<std::size_t>(begin + k)];
                const auto p = legendre_functions(lmax, t, std::sqrt(1 - t * t));
                // Coefficients of e^(i m alpha) have a root of 2 less than those of the real harmonics.
                for (int m = 0; m <= lmax; ++m)
                    for (int l = m; l <= lmax; ++l) {
                        const double value = p[static_cast<std::size_t>(l * (l + 1) / 2 + m)];
                        const auto at = static_cast<std::size_t>((first_of(m) + l - m) * size + k);
                        from[at] = value * (m == 0 ? 1 : std::numbers::sqrt2 / 2);
                        to[at] = value * 2 * std::numbers::pi * weight * (m == 0 ? 1 : std::numbers::sqrt2);
                    }
            }
            groups_.push_back({size, Constants(from), Constants(to)});
            begin = end;
        }
    }
    int groups() const { return static_cast<int>(groups_.size()); }
    /// Circles of the group.
    int circles(int group) const { return 2 * groups_[static_cast<std::size_t>(group)].pairs; }
    int pairs() const {
        int n = 0;
        for (const Group& g : groups_) n += g.pairs;
        return n;
    }

    /// The coefficients of x, degrees up to l, on the circles of a group, of orders up to `order`; those of a circle
    /// `stride` elements from those of the one before.
    template <class T>
    void evaluate(int group, int l, int order, const T* x, T* circles, index stride) const {
        with_group(group, [&]<int K>(const Group& g, std::integral_constant<int, K>) {
            evaluate_group<K>(g.from.template of<T>(), l, order, x, circles, stride);
        });
    }
    template <class T>
    void evaluate(int group, int l, const T* x, T* circles, index stride) const {
        evaluate(group, l, l, x, circles, stride);
    }
    /// The values of a function that is the same along each circle: one component of each degree, one value of each
    /// circle.
    template <class T>
    void evaluate_zonal(int group, int l, const T* x, T* circles) const {
        with_group(group, [&]<int K>(const Group& g, std::integral_constant<int, K>) {
            evaluate_zonal_group<K>(g.from.template of<T>(), l, x, circles);
        });
    }
    /// y += the components, degrees up to l and orders up to `order`, of what has these coefficients on the circles of
    /// a group and is 0 on the others.
    template <class T>
    void collect(int group, int l, int order, const T* circles, index stride, T* y) const {
        with_group(group, [&]<int K>(const Group& g, std::integral_constant<int, K>) {
            collect_group<K>(g.to.template of<T>(), l, order, circles, stride, y);
        });
    }
    template <class T>
    void collect(int group, int l, const T* circles, index stride, T* y) const {
        collect(group, l, l, circles, stride, y);
    }

private:
    struct Group {
        int pairs;
        Constants from, to; // by m, l and pair
    };
    int first_of(int m) const { return m * (lmax_ + 1) - m * (m - 1) / 2; }
    template <class F>
    void with_group(int group, F&& f) const {
        const Group& g = groups_[static_cast<std::size_t>(group)];
        static_assert(largest_group == 4);
        if (g.pairs == 4) return f(g, std::integral_constant<int, 4>{});
        if (g.pairs == 3) return f(g, std::integral_constant<int, 3>{});
        if (g.pairs == 2) return f(g, std::integral_constant<int, 2>{});
        f(g, std::integral_constant<int, 1>{});
    }

    template <int K, class T, class Scalar>
    WEFT_NOINLINE void evaluate_group(const Scalar* table, int lmax, int order, const T* x, T* circles,
                                      index stride) const {
        evaluate_order<K>(std::true_type{}, table, lmax, 0, x, circles, stride);
        for (int m = 1; m <= std::min(lmax, order); ++m)
            evaluate_order<K>(std::false_type{}, table + first_of(m) * K, lmax, m, x, circles, stride);
    }
    template <int K, class Zero, class T, class Scalar>
    static WEFT_ALWAYS_INLINE void evaluate_order(Zero zero, const Scalar* f, int lmax, int m, const T* x, T* circles,
                                                  index stride) {
        constexpr index w = lanes<T>;
        const T* cosine = x + (m * (m + 1) + m) * w;
        Packet<T> re[2][K], im[2][K]; // by the parity of l + m
#pragma GCC unroll 4
        for (int k = 0; k < K; ++k) re[0][k] = re[1][k] = im[0][k] = im[1][k] = splat(T{});
        const auto add = [&](int parity, int l) {
            const Packet<T> c = load_packet(cosine), s = load_packet(cosine - 2 * m * w);
#pragma GCC unroll 4
            for (int k = 0; k < K; ++k) {
                const Packet<T> factor = constant<T>(f[k]);
                re[parity][k] = multiply_add(factor, c, re[parity][k]);
                if constexpr (!zero) im[parity][k] = multiply_add(factor, s, im[parity][k]);
            }
            f += K;
            cosine += 2 * (l + 1) * w;
        };
        int l = m;
        for (; l + 1 <= lmax; l += 2) {
            add(0, l);
            add(1, l + 1);
        }
        if (l <= lmax) add(0, l);
        T* to = circles + 2 * m * w;
#pragma GCC unroll 4
        for (int k = 0; k < K; ++k, to += 2 * stride) {
            store_packet(to, re[0][k] + re[1][k]);
            store_packet(to + stride, re[0][k] - re[1][k]);
            store_packet(to + w, -(im[0][k] + im[1][k]));
            store_packet(to + stride + w, im[1][k] - im[0][k]);
        }
    }
    template <int K, class T, class Scalar>
    WEFT_NOINLINE static void evaluate_zonal_group(const Scalar* f, int lmax, const T* x, T* circles) {
        constexpr index w = lanes<T>;
        Packet<T> sum[2][K]; // by the parity of l
#pragma GCC unroll 4
        for (int k = 0; k < K; ++k) sum[0][k] = sum[1][k] = splat(T{});
        const auto add = [&](int parity, int l) {
            const Packet<T> c = load_packet(x + l * w);
#pragma GCC unroll 4
            for (int k = 0; k < K; ++k) sum[parity][k] = multiply_add(constant<T>(f[l * K + k]), c, sum[parity][k]);
        };
        int l = 0;
        for (; l + 1 <= lmax; l += 2) {
            add(0, l);
            add(1, l + 1);
        }
        if (l <= lmax) add(0, l);
#pragma GCC unroll 4
        for (int k = 0; k < K; ++k) {
            store_packet(circles + 2 * k * w, sum[0][k] + sum[1][k]);
            store_packet(circles + (2 * k + 1) * w, sum[0][k] - sum[1][k]);
        }
    }
    template <int K, class T, class Scalar>
    WEFT_NOINLINE void collect_group(const Scalar* table, int lmax, int order, const T* circles, index stride,
                                     T* y) const {
        collect_order<K>(std::true_type{}, table, lmax, 0, circles, stride, y);
        for (int m = 1; m <= std::min(lmax, order); ++m)
            collect_order<K>(std::false_type{}, table + first_of(m) * K, lmax, m, circles, stride, y);
    }
    template <int K, class Zero, class T, class Scalar>
    static WEFT_ALWAYS_INLINE void collect_order(Zero zero, const Scalar* f, int lmax, int m, const T* circles,
                                                 index stride, T* y) {
        constexpr index w = lanes<T>;
        Packet<T> re[2][K], im[2][K];
        const T* from = circles + 2 * m * w;
#pragma GCC unroll 4
        for (int k = 0; k < K; ++k, from += 2 * stride) {
            const Packet<T> a = load_packet(from), b = load_packet(from + stride), c = load_packet(from + w),
                            d = load_packet(from + stride + w);
            re[0][k] = a + b;
            re[1][k] = a - b;
            im[0][k] = -(c + d);
            im[1][k] = d - c;
        }
        T* cosine = y + (m * (m + 1) + m) * w;
        const auto add = [&](int parity, int l) {
            T* const sine = cosine - 2 * m * w;
            Packet<T> c = load_packet(cosine), s = load_packet(sine);
#pragma GCC unroll 4
            for (int k = 0; k < K; ++k) {
                const Packet<T> factor = constant<T>(f[k]);
                c = multiply_add(factor, re[parity][k], c);
                if constexpr (!zero) s = multiply_add(factor, im[parity][k], s);
            }
            store_packet(cosine, c);
            if constexpr (!zero) store_packet(sine, s);
            f += K;
            cosine += 2 * (l + 1) * w;
        };
        int l = m;
        for (; l + 1 <= lmax; l += 2) {
            add(0, l);
            add(1, l + 1);
        }
        if (l <= lmax) add(0, l);
    }

    int lmax_ = 0;
    std::vector<Group> groups_;
};

/// y_k = or += the sum over i of a_i b_(k - i) of complex numbers, k in [first, last]; a from -na to na, b from -nb to
/// nb and a 0 on either side of it. Pointers are to the numbers of index 0.
template <bool Add, class T>
WEFT_NOINLINE void convolve_complex(const T* a, int na, const T* b, int nb, T* y, int first, int last) {
    constexpr index w = lanes<T>;
    for (int k = first; k <= last; k += 2) { // k and k + 1
        Packet<T> rr0 = splat(T{}), ii0 = rr0, ri0 = rr0, ir0 = rr0, rr1 = rr0, ii1 = rr0, ri1 = rr0, ir1 = rr0;
        const int begin = std::max(-na, k - nb), end = std::min(na, k + 1 + nb);
        if (begin <= end) {
            const T* p = a + 2 * begin * w;
            const T* q = b + 2 * (k - begin) * w;
            Packet<T> re1 = load_packet(q + 2 * w), im1 = load_packet(q + 3 * w);
            for (int i = begin; i <= end; ++i, p += 2 * w, q -= 2 * w) {
                const Packet<T> re = load_packet(p), im = load_packet(p + w);
                const Packet<T> re0 = load_packet(q), im0 = load_packet(q + w);
                rr0 = multiply_add(re, re0, rr0);
                ii0 = multiply_add(im, im0, ii0);
                ri0 = multiply_add(re, im0, ri0);
                ir0 = multiply_add(im, re0, ir0);
                rr1 = multiply_add(re, re1, rr1);
                ii1 = multiply_add(im, im1, ii1);
                ri1 = multiply_add(re, im1, ri1);
                ir1 = multiply_add(im, re1, ir1);
                re1 = re0;
                im1 = im0;
            }
        }
        const auto put = [&](T* to, const Packet<T>& re, const Packet<T>& im) {
            store_packet(to, Add ? Packet<T>(load_packet(to) + re) : re);
            store_packet(to + w, Add ? Packet<T>(load_packet(to + w) + im) : im);
        };
        put(y + 2 * k * w, rr0 - ii0, ri0 + ir0);
        if (k < last) put(y + 2 * (k + 1) * w, rr1 - ii1, ri1 + ir1);
    }
}

/// Complex coefficients of orders -l, ..., l of a real function, and a 0 on either side of them.
struct Orders {
    int l;
    template <class T>
    index size() const {
        return 2 * lanes<T> * (2 * l + 3);
    }
    template <class T>
    T* zero(T* all) const {
        return all + 2 * lanes<T> * (l + 1);
    }
    /// The coefficients of negative orders from the others.
    template <class T>
    void mirror(T* all) const {
        constexpr index w = lanes<T>;
        T* const to = zero(all);
        store_packet(to + w, splat(T{})); // a real function has a real mean
        for (int m = 1; m <= l; ++m) {
            store_packet(to - 2 * m * w, load_packet(to + 2 * m * w));
            store_packet(to - 2 * m * w + w, -load_packet(to + 2 * m * w + w));
        }
        for (const int m : {-l - 1, l + 1}) std::fill_n(to + 2 * m * w, 2 * w, T{});
    }
};

/// y = P(a b), from degrees a and b to y, on circles of constant beta, where products of functions are convolutions of
/// their coefficients, and with the integral of Gauss and Legendre over beta. Exact, O(L^3).
class GauntCircles {
public:
    GauntCircles() = default;
    GauntCircles(int a, int b, int y) : a_{a}, b_{b}, y_(y), circles_(std::max({a, b, y}), (a + b + y) / 2 + 1) {}
    /// Multiplications, about.
    static double cost(int a, int b, int y) {
        const double orders = std::min(y, a + b), pairs = ((a + b + y) / 2 + 2) / 2;
        return pairs * (static_cast<double>(components_up_to(a) + components_up_to(b) + components_up_to(y)) +
                        4 * (2 * a + 1.0) * (2 * b + 1) * (1 - 0.5 * std::pow(1 - orders / (a + b + 1.0), 2)));
    }
    /// Elements that multiply() needs.
    template <class T>
    index scratch() const {
        return 2 * Circles::largest_group * (a_.size<T>() + b_.size<T>() + row<T>());
    }

    template <class T>
    void multiply(const T* a, const T* b, T* y, T* scratch) const {
        T* const of_a = scratch;
        T* const of_b = of_a + 2 * Circles::largest_group * a_.size<T>();
        T* const of_y = of_b + 2 * Circles::largest_group * b_.size<T>();
        std::fill_n(y, components_up_to(y_) * lanes<T>, T{});
        for (int group = 0; group < circles_.groups(); ++group) {
            circles_.evaluate(group, a_.l, a, a_.zero(of_a), a_.size<T>());
            circles_.evaluate(group, b_.l, b, b_.zero(of_b), b_.size<T>());
            for (int c = 0; c < circles_.circles(group); ++c) {
                T* const p = of_a + c * a_.size<T>();
                T* const q = of_b + c * b_.size<T>();
                a_.mirror(p);
                b_.mirror(q);
                convolve_complex<false>(a_.zero(p), a_.l, b_.zero(q), b_.l, of_y + c * row<T>(), 0, y_);
            }
            circles_.collect(group, y_, of_y, row<T>(), y);
        }
    }

private:
    template <class T>
    index row() const {
        return 2 * lanes<T> * (y_ + 1);
    }
    Orders a_{0}, b_{0};
    int y_ = 0;
    Circles circles_;
};

} // namespace weft::inline WEFT_ABI::so3::detail
