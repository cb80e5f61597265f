// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/nn/init.hpp>
#include <weft/nn/module.hpp>
#include <weft/so3/gaunt_grid.hpp>
#include <weft/so3/row_lanes.hpp>

namespace weft::inline WEFT_ABI::so3 {

namespace detail {

/// y_lm = the sum over n = 1, ..., correlation of w_nl P(f^n)_lm, from degrees up to l to degrees up to `out`, on a
/// grid on which all of it is exact.
class GauntPowers {
public:
    GauntPowers(int l, int correlation, int out)
        : l_(l), correlation_(correlation), out_(out),
          circles_(std::max(l, out), static_cast<int>(GauntGrid::least_beta(correlation * l, 0, out))),
          of_x_(l, static_cast<int>(GauntGrid::least_alpha(correlation * l, 0, out))), of_y_(out, of_x_.points()) {}

    int l() const { return l_; }
    int out() const { return out_; }
    index weights() const { return index{correlation_} * (out_ + 1); }
    /// Multiplications of the result, about.
    double cost() const {
        return circles_.pairs() * (static_cast<double>(components_up_to(l_)) + 2 * of_x_.cost() +
                                   (correlation_ - 1.0) * (8.0 * of_x_.pairs() + 2 * of_y_.cost() +
                                                           static_cast<double>(components_up_to(out_))));
    }
    /// Elements that powers() and gradients() need.
    template <class T>
    index scratch() const {
        return lanes<T> * (correlation_ * components_up_to(out_) + components_up_to(std::max(l_, out_)) +
                           2 * most * (l_ + 1 + correlation_ * (out_ + 1)) + 2 * (correlation_ + 2) * of_x_.pairs());
    }

    template <class T>
    void result(const T* x, const T* w, T* y, T* scratch) const {
        Memory<T> m(*this, scratch);
        std::fill_n(m.parts, correlation_ * components_up_to(out_) * lanes<T>, T{});
        for (int group = 0; group < circles_.groups(); ++group) {
            circles_.evaluate(group, l_, x, m.orders_x, stride<T>(l_));
            for (int c = 0; c < circles_.circles(group); ++c) {
                of_x_.to_values(m.orders_x + c * stride<T>(l_), m.f);
                powers(m, c);
            }
            collect_powers(m, group);
        }
        first_power(x, m.parts);
        std::fill_n(y, components_up_to(out_) * lanes<T>, T{});
        for (int n = 0; n < correlation_; ++n)
            for_components(out_, [&](int l, index at) {
                const Packet<T> weight = load_packet(w + (n * (out_ + 1) + l) * lanes<T>);
                T* const to = y + at * lanes<T>;
                store_packet(to, multiply_add(weight, load_packet(m.part(n) + at * lanes<T>), load_packet(to)));
            });
    }
    /// From g, the gradient of y: dx and dw.
    template <class T>
    void gradients(const T* x, const T* w, const T* g, T* dx, T* dw, T* scratch) const {
        using Scalar = typename weft::detail::DualScalar<T>::type;
        constexpr index lane = lanes<T>;
        Memory<T> m(*this, scratch);
        std::fill_n(m.parts, correlation_ * components_up_to(out_) * lane, T{});
        std::fill_n(dx, components_up_to(l_) * lane, T{});
        // d f^n = n f^(n - 1) df: with g_n = n w_n g the sum of g_n f^(n - 1), by Horner's rule.
        const auto weighted = [&](int n, T* to) {
            const Packet<T> factor = constant<T>(static_cast<Scalar>(n + 1));
            for_components(out_, [&](int l, index at) {
                store_packet(to + at * lane,
                             factor * load_packet(w + (n * (out_ + 1) + l) * lane) * load_packet(g + at * lane));
            });
        };
        for (int group = 0; group < circles_.groups(); ++group) {
            circles_.evaluate(group, l_, x, m.orders_x, stride<T>(l_));
            for (int n = 1; n < correlation_; ++n) {
                weighted(n, m.weighted);
                circles_.evaluate(group, out_, m.weighted, m.gradients(n), stride<T>(out_));
            }
            for (int c = 0; c < circles_.circles(group); ++c) {
                of_x_.to_values(m.orders_x + c * stride<T>(l_), m.f);
                for (int n = correlation_ - 1; n > 0; --n) {
                    of_y_.to_values(m.gradients(n) + c * stride<T>(out_), m.power(1));
                    if (n == correlation_ - 1)
                        multiply_values<false>(m.power(1), m.sum, m.f, m.sum);
                    else
                        multiply_values<true>(m.power(1), m.sum, m.f, m.sum);
                }
                powers(m, c);
                if (correlation_ > 1) of_x_.to_orders(m.sum, m.orders_x + c * stride<T>(l_));
            }
            collect_powers(m, group);
            if (correlation_ > 1) circles_.collect(group, l_, m.orders_x, stride<T>(l_), dx);
        }
        first_power(x, m.parts);
        for_components(std::min(l_, out_), [&](int l, index at) {
            T* const to = dx + at * lane;
            store_packet(to, multiply_add(load_packet(w + l * lane), load_packet(g + at * lane), load_packet(to)));
        });
        std::fill_n(dw, weights() * lane, T{});
        for (int n = 0; n < correlation_; ++n)
            for_components(out_, [&](int l, index at) {
                T* const to = dw + (n * (out_ + 1) + l) * lane;
                store_packet(
                    to, multiply_add(load_packet(m.part(n) + at * lane), load_packet(g + at * lane), load_packet(to)));
            });
    }

private:
    static constexpr index most = 2 * Circles::largest_group; // circles of a group
    template <class T>
    static index stride(int l) {
        return 2 * lanes<T> * (l + 1);
    }
    template <class T>
    struct Memory {
        index of_part, of_power, of_values;
        T *parts, *weighted;  // components of each power; of a gradient
        T *orders_x, *orders; // on the circles of a group: of x, of powers or gradients
        T *f, *sum, *values;  // on a circle: of x, of its gradient, of powers

        Memory(const GauntPowers& p, T* scratch)
            : of_part(components_up_to(p.out_) * lanes<T>), of_power(most * stride<T>(p.out_)),
              of_values(2 * lanes<T> * p.of_x_.pairs()), parts(scratch), weighted(parts + p.correlation_ * of_part),
              orders_x(weighted + components_up_to(std::max(p.l_, p.out_)) * lanes<T>),
              orders(orders_x + most * stride<T>(p.l_)), f(orders + p.correlation_ * of_power), sum(f + of_values),
              values(sum + of_values) {}
        T* power(int n) const { return values + n * of_values; }
        T* part(int n) const { return parts + n * of_part; }
        T* gradients(int n) const { return orders + n * of_power; }
    };
    /// f(degree, component)
    template <class F>
    static void for_components(int lmax, F&& f) {
        index at = 0;
        for (int l = 0; l <= lmax; ++l)
            for (int m = 0; m <= 2 * l; ++m) f(l, at++);
    }
    template <class T>
    void first_power(const T* x, T* part) const {
        std::copy_n(x, components_up_to(std::min(l_, out_)) * lanes<T>, part);
    }
    /// to = a f, or (a + b) f; values come in pairs, half the sum and half the difference of both.
    template <bool Both, class T>
    void multiply_values(const T* a, const T* b, const T* f, T* to) const {
        constexpr index w = lanes<T>;
        for (index i = 0; i < 2 * of_x_.pairs() * w; i += 2 * w) {
            Packet<T> p = load_packet(a + i), q = load_packet(a + i + w);
            if constexpr (Both) {
                p = p + load_packet(b + i);
                q = q + load_packet(b + i + w);
            }
            const Packet<T> r = load_packet(f + i), s = load_packet(f + i + w);
            store_packet(to + i, multiply_add(p, r, Packet<T>(q * s)));
            store_packet(to + i + w, multiply_add(p, s, Packet<T>(q * r)));
        }
    }
    /// From the values f on circle c the orders of its powers from 2 on.
    template <class T>
    void powers(const Memory<T>& m, int c) const {
        constexpr index w = lanes<T>;
        for (index i = 0; i < 2 * of_x_.pairs() * w; i += 2 * w) {
            const Packet<T> r = load_packet(m.f + i), s = load_packet(m.f + i + w);
            Packet<T> p = r, q = s;
            for (int n = 1; n < correlation_; ++n) {
                const Packet<T> even = multiply_add(p, r, Packet<T>(q * s));
                q = multiply_add(p, s, Packet<T>(q * r));
                p = even;
                store_packet(m.power(n) + i, p);
                store_packet(m.power(n) + i + w, q);
            }
        }
        for (int n = 1; n < correlation_; ++n) of_y_.to_orders(m.power(n), m.gradients(n) + c * stride<T>(out_));
    }
    template <class T>
    void collect_powers(const Memory<T>& m, int group) const {
        for (int n = 1; n < correlation_; ++n)
            circles_.collect(group, out_, m.gradients(n), stride<T>(out_), m.part(n));
    }

    int l_, correlation_, out_;
    Circles circles_;
    CircleValues of_x_, of_y_;
};

/// Rows x [N, (l + 1)^2] and their weights [N, correlation (out + 1)] to [N, (out + 1)^2].
struct GauntPowersOperation {
    static constexpr auto name = "gaunt_many_body";
    std::shared_ptr<const GauntPowers> kernel;

    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 2>& x, const Tensor<T, 2>& w) const {
        return for_rows_of_both(x, w, components_up_to(kernel->out()),
                                0.4 * kernel->cost() / static_cast<double>(lanes<T>), kernel->scratch<T>(),
                                [&](const T* a, const T* b, T* y, T* scratch) { kernel->result(a, b, y, scratch); });
    }
    template <class T, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, 2>& x,
                  const Tensor<T, 2>& w) const {
        auto dx = Tensor<T, 2>::empty(x.shape()), dw = Tensor<T, 2>::empty(w.shape());
        T* const to_x = dx.mutable_data();
        T* const to_w = dw.mutable_data();
        const index dim_x = x.extent(1), dim_w = w.extent(1), dim_y = dy.extent(1);
        for_each_row_chunk(
            x.extent(0), kernel->cost() / static_cast<double>(lanes<T>), [&](index, index begin, index end) {
                weft::detail::Scratch<T> memory(2 * (dim_x + dim_w + dim_y) * lanes<T> + kernel->scratch<T>() + 96);
                T* const in_x = memory.take(dim_x * lanes<T>);
                T* const in_w = memory.take(dim_w * lanes<T>);
                T* const in_g = memory.take(dim_y * lanes<T>);
                T* const out_x = memory.take(dim_x * lanes<T>);
                T* const out_w = memory.take(dim_w * lanes<T>);
                T* const scratch = memory.take(kernel->scratch<T>());
                for (index row = begin; row < end; row += lanes<T>) {
                    const index count = std::min(lanes<T>, end - row);
                    rows_to_lanes(x.data() + row * dim_x, dim_x, count, in_x);
                    rows_to_lanes(w.data() + row * dim_w, dim_w, count, in_w);
                    rows_to_lanes(dy.data() + row * dim_y, dim_y, count, in_g);
                    kernel->gradients(in_x, in_w, in_g, out_x, out_w, scratch);
                    lanes_to_rows(out_x, dim_x, count, to_x + row * dim_x);
                    lanes_to_rows(out_w, dim_w, count, to_w + row * dim_w);
                }
            });
        if (sink.template wants<0>()) sink.template add<0>(dx);
        if (sink.template wants<1>()) sink.template add<1>(dw);
    }
};

} // namespace detail

/// Options of `GauntManyBody`.
struct GauntManyBodyOptions {
    int correlation = 3;    ///< the largest power
    index num_elements = 1; ///< each with weights of its own
    Generator* generator = nullptr;
};

/// Products of up to `correlation` times the function of a channel with itself, without loss on the way, each projected
/// on degrees up to l_out and weighted by order, degree, channel and the node's element: y_l = the sum over n of
/// w_nl P(f^n)_l. What a symmetric contraction does, with one weight for each order and degree in place of one for each
/// path, in O(correlation^2 L^3) instead of a number of monomials that is exponential in `correlation`. Luo, Chen &
/// Krishnapriyan (arXiv 2401.10216). On a grid, where powers are those of values: the function is evaluated once, and
/// what is between is never stored. Gradients of any order by features and weights.
///
/// The parameter `weight` is [correlation, num_elements, channels, l_out + 1], normal.
template <class T>
struct GauntManyBody {
    Parameter<T, 4> weight;

    /// Of nothing, to be assigned to.
    GauntManyBody() : GauntManyBody(1, 0, 0) {}
    /// Errors: a negative degree; channels, correlation or num_elements below 1.
    GauntManyBody(index channels, int l, int l_out, const GauntManyBodyOptions& options = {})
        : correlation_(options.correlation) {
        if (std::min(l, l_out) < 0) throw error("GauntManyBody", "degrees {}, {}: must not be negative", l, l_out);
        if (channels < 1 || options.correlation < 1 || options.num_elements < 1)
            throw error("GauntManyBody", "channels is {}, correlation {}, num_elements {}: must be at least 1",
                        channels, options.correlation, options.num_elements);
        kernel_ = std::make_shared<const detail::GauntPowers>(l, correlation_, l_out);
        weight = Parameter<T, 4>(
            Tensor<T, 4>::zeros({options.correlation, options.num_elements, channels, index{l_out} + 1}));
        Generator unseeded;
        if (!options.generator) unseeded = nn::unseeded_generator();
        nn::normal(weight, options.generator ? *options.generator : unseeded);
    }

    /// x [N, channels, (l + 1)^2] and the element [N] of each row, from 0 to below num_elements, to
    /// [N, channels, (l_out + 1)^2]. Errors: the shapes do not fit; there is no such element.
    template <Expression X, class I>
    auto operator()(const X& x, const Tensor<I, 1>& element) const {
        if constexpr (kind_of<X> == Kind::var)
            return (*this)(x, element, weight.var());
        else
            return (*this)(x, element, weight.value());
    }
    /// With other weights.
    template <Expression X, class I, Expression W>
    auto operator()(const X& x, const Tensor<I, 1>& element, const W& weights) const {
        static_assert(
            X::rank == 3 && W::rank == 4,
            "weft: GauntManyBody: x is [N, channels, components], the weights [orders, elements, channels, degrees]");
        if (weights.shape() != weight.shape())
            throw error("GauntManyBody", "the weights are {}: must be {}", weft::detail::shape_text(weights.shape()),
                        weft::detail::shape_text(weight.shape()));
        const index n = element.size(), channels = weights.extent(2), components = components_up_to(kernel_->l()),
                    out = components_up_to(kernel_->out());
        if (x.shape() != Extents<3>{n, channels, components})
            throw error("GauntManyBody", "x is {}: must be [{}, {}, {}], a row for each element",
                        weft::detail::shape_text(x.shape()), n, channels, components);
        const auto of_elements = contiguous(permute(weights, {1, 2, 0, 3}));
        const auto of_rows = reshape(gather(of_elements, element), Extents<2>{n * channels, kernel_->weights()});
        const auto rows = reshape(contiguous(x), Extents<2>{n * channels, components});
        return reshape(apply_operation(detail::GauntPowersOperation{kernel_}, rows, of_rows),
                       Extents<3>{n, channels, out});
    }

    void visit(auto&& v) { v("weight", weight); }

private:
    int correlation_;
    std::shared_ptr<const detail::GauntPowers> kernel_;
};

} // namespace weft::inline WEFT_ABI::so3
