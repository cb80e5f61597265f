// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/gaunt_circles.hpp>

namespace weft::inline WEFT_ABI::so3::detail {

/// Values at `points` equidistant angles alpha on a circle, from coefficients of orders 0 to l, and back. Values come
/// in pairs, at alpha and -alpha: half the sum and half the difference of both, which are sums of cosines and of sines.
class CircleValues {
public:
    CircleValues() = default;
    CircleValues(int l, int points) : orders_(l + 1), points_(points), pairs_(points / 2 + 1) {
        std::vector<double> to_values, to_orders;
        const auto angle = [&](int j, int m) { // j m may be large
            return 2 * std::numbers::pi * (j * m % points) / points;
        };
        const auto table = [&](int outputs, int inputs, auto&& entry) {
            std::vector<double> all;
            for (int b = 0; b < blocks(outputs); ++b)
                for (int i = 0; i < inputs; ++i)
                    for (int o = begin_of(b, outputs); o < begin_of(b + 1, outputs); ++o)
                        for (const bool sine : {false, true}) all.push_back(entry(o, i, sine));
            return Constants(std::move(all));
        };
        // f(alpha) = c_0 + the sum over m > 0 of 2 re c_m cos(m alpha) - 2 im c_m sin(m alpha)
        to_values_ = table(pairs_, orders_, [&](int j, int m, bool sine) {
            return (m == 0 ? 1 : 2) * (sine ? -std::sin(angle(j, m)) : std::cos(angle(j, m)));
        });
        // c_m = the mean over alpha of f(alpha) e^(-i m alpha)
        to_orders_ = table(orders_, pairs_, [&](int m, int j, bool sine) {
            const double both = j == 0 || 2 * j == points ? 1 : 2;
            return both / points * (sine ? -std::sin(angle(j, m)) : std::cos(angle(j, m)));
        });
    }
    int points() const { return points_; }
    int pairs() const { return pairs_; }
    double cost() const { return 2.0 * orders_ * pairs_; }

    /// From the real and imaginary parts of all orders to those halves of all pairs.
    template <class T>
    void to_values(const T* orders, T* values) const {
        transform(to_values_, orders, orders_, values, pairs_);
    }
    template <class T>
    void to_orders(const T* values, T* orders) const {
        transform(to_orders_, values, pairs_, orders, orders_);
    }

private:
    // Outputs are computed in blocks of about the same size.
    static constexpr int largest_block = 6;
    static int blocks(int outputs) { return (outputs + largest_block - 1) / largest_block; }
    static int begin_of(int block, int outputs) { return block * outputs / blocks(outputs); }

    template <class T>
    static void transform(const Constants& table, const T* from, int inputs, T* to, int outputs) {
        const auto* factor = table.of<T>();
        for (int b = 0; b < blocks(outputs); ++b) {
            const int begin = begin_of(b, outputs), size = begin_of(b + 1, outputs) - begin;
            transform_block(std::make_integer_sequence<int, largest_block>{}, size, factor, from, inputs,
                            to + 2 * begin * lanes<T>);
            factor += 2 * size * inputs;
        }
    }
    template <int... Less, class T, class Scalar>
    static void transform_block(std::integer_sequence<int, Less...>, int size, const Scalar* factor, const T* from,
                                int inputs, T* to) {
        ((size == Less + 1 ? transform_few<Less + 1>(factor, from, inputs, to) : void()), ...);
    }
    template <int Few, class T, class Scalar>
    WEFT_NOINLINE static void transform_few(const Scalar* factor, const T* from, int inputs, T* to) {
        constexpr index w = lanes<T>;
        Packet<T> even[Few], odd[Few];
#pragma GCC unroll 6
        for (int k = 0; k < Few; ++k) even[k] = odd[k] = splat(T{});
        for (int i = 0; i < inputs; ++i, factor += 2 * Few) {
            const Packet<T> a = load_packet(from + 2 * i * w), b = load_packet(from + (2 * i + 1) * w);
#pragma GCC unroll 6
            for (int k = 0; k < Few; ++k) {
                even[k] = multiply_add(constant<T>(factor[2 * k]), a, even[k]);
                odd[k] = multiply_add(constant<T>(factor[2 * k + 1]), b, odd[k]);
            }
        }
#pragma GCC unroll 6
        for (int k = 0; k < Few; ++k) {
            store_packet(to + 2 * k * w, even[k]);
            store_packet(to + (2 * k + 1) * w, odd[k]);
        }
    }

    int orders_ = 1, points_ = 1, pairs_ = 1;
    Constants to_values_, to_orders_; // cosine and sine by block of outputs, input and output
};

/// y = P(a b), from degrees a and b to y, by values on a grid: nodes of Gauss and Legendre in cos beta, equidistant
/// angles alpha. Exact from (a + b + y) / 2 + 1 angles beta and a + b + y + 1 angles alpha on; O(L^3) but for a Fourier
/// transformation of each circle by its definition, which costs what the convolution on circles does.
class GauntGrid {
public:
    static index least_beta(int a, int b, int y) { return (a + b + y) / 2 + 1; }
    static index least_alpha(int a, int b, int y) { return a + b + y + 1; }

    GauntGrid() = default;
    /// Of sizes that may be too small.
    GauntGrid(int a, int b, int y, const SphereResolution& size)
        : a_(a), b_(b), y_(y), circles_(std::max({a, b, y}), static_cast<int>(size.beta)),
          from_a_(a, static_cast<int>(size.alpha)), from_b_(b, static_cast<int>(size.alpha)),
          to_y_(y, static_cast<int>(size.alpha)) {}
    /// Multiplications, about.
    static double cost(int a, int b, int y) {
        const auto pairs = static_cast<double>((least_beta(a, b, y) + 1) / 2);
        const auto half = static_cast<double>(least_alpha(a, b, y) / 2 + 1);
        return pairs * (static_cast<double>(components_up_to(a) + components_up_to(b) + components_up_to(y)) +
                        4 * half * (a + b + y + 3 + 2));
    }
    /// Elements that multiply() needs.
    template <class T>
    index scratch() const {
        const index orders = std::max({a_, b_, y_}) + 1;
        return 2 * lanes<T> * (2 * Circles::largest_group * (2 * orders + y_ + 1) + 2 * to_y_.pairs());
    }

    template <class T>
    void multiply(const T* a, const T* b, T* y, T* scratch) const {
        constexpr index w = lanes<T>, most = 2 * Circles::largest_group;
        const index of_a = 2 * w * (a_ + 1), of_b = 2 * w * (b_ + 1), of_y = 2 * w * (y_ + 1);
        T* const orders_a = scratch;
        T* const orders_b = orders_a + most * of_a;
        T* const orders_y = orders_b + most * of_b;
        T* const values = orders_y + most * of_y;
        T* const others = values + 2 * w * to_y_.pairs();
        std::fill_n(y, components_up_to(y_) * w, T{});
        for (int group = 0; group < circles_.groups(); ++group) {
            circles_.evaluate(group, a_, a, orders_a, of_a);
            circles_.evaluate(group, b_, b, orders_b, of_b);
            for (int c = 0; c < circles_.circles(group); ++c) {
                from_a_.to_values(orders_a + c * of_a, values);
                from_b_.to_values(orders_b + c * of_b, others);
                // (p + q) (r + s) = (p r + q s) + (p s + q r), and the same of the other side
                for (int j = 0; j < to_y_.pairs(); ++j) {
                    T* const at = values + 2 * j * w;
                    const Packet<T> p = load_packet(at), q = load_packet(at + w);
                    const Packet<T> r = load_packet(others + 2 * j * w), s = load_packet(others + (2 * j + 1) * w);
                    store_packet(at, multiply_add(p, r, q * s));
                    store_packet(at + w, multiply_add(p, s, q * r));
                }
                to_y_.to_orders(values, orders_y + c * of_y);
            }
            circles_.collect(group, y_, orders_y, of_y, y);
        }
    }

private:
    int a_ = 0, b_ = 0, y_ = 0;
    Circles circles_;
    CircleValues from_a_, from_b_, to_y_;
};

} // namespace weft::inline WEFT_ABI::so3::detail
