// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/abs.hpp>
#include <weft/core/ops/add.hpp>
#include <weft/core/ops/compare.hpp>
#include <weft/core/ops/cos.hpp>
#include <weft/core/ops/divide.hpp>
#include <weft/core/ops/exp.hpp>
#include <weft/core/ops/logical.hpp>
#include <weft/core/ops/multiply.hpp>
#include <weft/core/ops/negate.hpp>
#include <weft/core/ops/power.hpp>
#include <weft/core/ops/sin.hpp>
#include <weft/core/ops/square.hpp>
#include <weft/core/ops/subtract.hpp>
#include <weft/core/ops/where.hpp>
#include <weft/core/views.hpp>

#include <numbers>
#include <vector>

/// Functions of distances, in which the weights of equivariant convolutions are expanded. Distances [N] give [N,
/// number]; gradients of any order, with their limits at distance 0 and at the cutoff.
namespace weft::inline WEFT_ABI::so3 {

namespace detail {

/// e^(-1/a), 0 for a <= 0: smooth everywhere. Slope y / a^2.
struct SoftUnitStep {
    static constexpr auto name = "soft_unit_step";
    static constexpr double cost = 1;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        if constexpr (math::is_dual<P>)
            return math::dual_value<SoftUnitStep>(a);
        else
            return select(a <= P(0), P(0), math::exp(P(P(-1) / a)));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P& y) {
        return select(y == P(0), P(0), y / (a * a));
    }
};

/// sin(a) / a, 1 at 0.
struct Sinc {
    static constexpr auto name = "sinc";
    static constexpr double cost = 1.2;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        if constexpr (math::is_dual<P>)
            return math::dual_value<Sinc>(a);
        else
            return select(a == P(0), P(1), math::sin(a) / a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P& y) {
        // Near 0, where the difference cancels, the series: its terms are (-1)^k 2k a^(2k-1) / (2k+1)!.
        const P series =
            a * math::detail::horner(P(a * a), 4.498331606952833e-14, -1.0706029224547743e-11, 1.9270852604185937e-9,
                                     -2.505210838544172e-7, 2.2045855379188714e-5, -1. / 840, 1. / 30, -1. / 3);
        return select(math::abs(a) < P(1), series, (math::cos(a) - y) / a);
    }
};

/// f(0), f(1), ..., f(n - 1)
template <class T, class F>
Tensor<T, 1> tabulated(index n, F&& f) {
    auto t = Tensor<T, 1>::empty({n});
    for (index i = 0; i < n; ++i) t.mutable_data()[i] = T(f(i));
    return t;
}

/// As torch.linspace rounds: from both ends to the middle.
inline std::vector<double> linspace(double start, double end, index n) {
    std::vector<double> v;
    const double step = (end - start) / static_cast<double>(n - 1);
    for (index i = 0; i < n; ++i)
        v.push_back(i < n / 2 ? start + step * static_cast<double>(i) : end - step * static_cast<double>(n - 1 - i));
    return v;
}

inline void require_radial(const char* operation, double start, double end, index number, index least) {
    if (!(start < end)) throw error(operation, "the range is from {} to {}: must not be empty", start, end);
    if (number < least) throw error(operation, "the number of functions is {}: must be at least {}", number, least);
}

} // namespace detail

/// e^(-1/x) for x > 0, else 0: a step that is smooth everywhere. e3nn.math.soft_unit_step.
template <Expression X>
auto soft_unit_step(X&& x) {
    return apply<detail::SoftUnitStep>(std::forward<X>(x));
}

/// Families of functions of a range, see soft_one_hot_linspace.
enum class RadialBasis {
    gaussian,      ///< e^(-d^2) / 1.12
    cosine,        ///< cos(pi d / 2) for |d| < 1
    smooth_finite, ///< 1.14136 e^2 s(1 + d) s(1 - d), with the soft unit step s; 0 for |d| >= 1
    fourier,       ///< cosines of 0, 1, ... half periods over the range, with the cutoff sines of 1, 2, ...
    bessel, ///< sqrt(2 / c) sin(n pi z / c) / z with z = x - start, c = end - start: Gasteiger et al. (2003.03123)
};

/// `number` functions of x [...], [..., number], whose squares sum up to about 1 over the range (but for bessel). The
/// first three are functions of d, the distance from one of `number` even places in steps between them: with `cutoff`
/// places within the range, where functions and slopes vanish at both ends, else those from `start` to `end`. Fourier
/// and bessel functions are 0 outside with `cutoff`. e3nn.math.soft_one_hot_linspace, but for the limit of bessel at
/// `start`. Errors: an empty range; no functions, or without cutoff fewer than 2 that are made of places.
template <Expression X>
auto soft_one_hot_linspace(const X& x, double start, double end, index number, RadialBasis basis, bool cutoff) {
    using T = weft::detail::compute_type<X>;
    constexpr const char* name = "soft_one_hot_linspace";
    const auto column = unsqueeze(eval(x), X::rank);
    const auto at = [](index i) { return static_cast<double>(i); };
    const double length = end - start;

    if (basis == RadialBasis::fourier) {
        detail::require_radial(name, start, end, number, 1);
        const auto scale = static_cast<T>(1 / std::sqrt(0.25 + 0.5 * at(number)));
        const auto t = eval((column - T(start)) / T(length));
        const auto rate =
            detail::tabulated<T>(number, [&](index i) { return std::numbers::pi * at(cutoff ? i + 1 : i); });
        return cutoff ? eval(where(t > 0 && t < 1, sin(t * rate), T(0)) * scale) : eval(cos(t * rate) * scale);
    }
    if (basis == RadialBasis::bessel) {
        detail::require_radial(name, start, end, number, 1);
        const auto t = eval((column - T(start)) / T(length));
        const auto rate = detail::tabulated<T>(number, [&](index i) { return std::numbers::pi * at(i + 1); });
        const auto scale = eval(rate * T(std::sqrt(2 / length) / length));
        const auto value = apply<detail::Sinc>(t * rate) * scale;
        return cutoff ? eval(where(t >= 0 && t < 1, value, T(0))) : eval(value);
    }

    detail::require_radial(name, start, end, number, cutoff ? 1 : 2);
    const auto all = detail::linspace(start, end, cutoff ? number + 2 : number);
    const auto places =
        detail::tabulated<T>(number, [&](index i) { return all[static_cast<std::size_t>(cutoff ? i + 1 : i)]; });
    const auto d = eval((column - places) / T(all[1] - all[0]));
    if (basis == RadialBasis::gaussian) return eval(exp(-square(d)) * T(1 / 1.12));
    if (basis == RadialBasis::cosine) return eval(where(abs(d) >= 1, T(0), cos(d * T(std::numbers::pi / 2))));
    // s(1 + d) s(1 - d) = s((1 - d^2) / 2)
    return eval(soft_unit_step((1 - d) * (1 + d) * T(0.5)) * T(1.14136 * std::numbers::e * std::numbers::e));
}

/// sqrt(2 / r_max) sin(n pi r / r_max) / r for n = 1 ... number, of distances r [...]: [..., number]. Its limit at 0 is
/// n pi sqrt(2 / r_max) / r_max. MACE's radial basis, after Gasteiger et al. (arXiv 2003.03123). Errors: r_max is not
/// positive; no functions.
template <Expression R>
auto bessel_basis(const R& r, double r_max, index number) {
    detail::require_radial("bessel_basis", 0, r_max, number, 1);
    return soft_one_hot_linspace(r, 0, r_max, number, RadialBasis::bessel, false);
}

/// e^(-(r - c)^2 / (2 s^2)) for `number` centres c from 0 to r_max, s apart: [..., number] of distances r [...].
/// Errors: r_max is not positive; fewer than 2 functions.
template <Expression R>
auto gaussian_basis(const R& r, double r_max, index number) {
    using T = weft::detail::compute_type<R>;
    detail::require_radial("gaussian_basis", 0, r_max, number, 2);
    const auto centres = detail::linspace(0, r_max, number);
    const double step = r_max / static_cast<double>(number - 1);
    const auto places = detail::tabulated<T>(number, [&](index i) { return centres[static_cast<std::size_t>(i)]; });
    return eval(exp(square(unsqueeze(eval(r), R::rank) - places) * T(-0.5 / (step * step))));
}

/// What falls from 1 at r = 0 to 0 at r_max, where its first two derivatives vanish too, and stays 0: with t = r /
/// r_max, 1 - (p+1)(p+2)/2 t^p + p(p+2) t^(p+1) - p(p+1)/2 t^(p+2). Of the shape of r. Gasteiger et al. (arXiv
/// 2003.03123); NequIP and MACE have p = 6, or 5. Errors: r_max is not positive; p < 2.
template <Expression R>
auto polynomial_cutoff(const R& r, double r_max, double p = 6) {
    using T = weft::detail::compute_type<R>;
    if (!(r_max > 0)) throw error("polynomial_cutoff", "r_max is {}: must be positive", r_max);
    if (!(p >= 2)) throw error("polynomial_cutoff", "p is {}: must be at least 2", p);
    const auto t = eval(r / T(r_max));
    const auto fall = T((p + 1) * (p + 2) / 2) - t * (T(p * (p + 2)) - t * T(p * (p + 1) / 2));
    return eval(where(t < 1, T(1) - pow(t, T(p)) * fall, T(0)));
}

namespace detail {

/// T_1 ... T_n of x [N]: [N, n].
struct ChebyshevOperation {
    static constexpr auto name = "chebyshev_basis";
    index number;

    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 1>& x) const {
        auto y = Tensor<T, 2>::empty({x.size(), number});
        T* const to = y.mutable_data();
        each_row(x.size(), [&](index row) {
            const T t = x.data()[row];
            T before(1), now = t;
            for (index k = 0; k < number; ++k) {
                to[row * number + k] = now;
                before = std::exchange(now, 2 * t * now - before);
            }
        });
        return y;
    }
    template <class T, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, 1>& x) const {
        if (!sink.template wants<0>()) return;
        auto dx = Tensor<T, 1>::empty(x.shape());
        T* const to = dx.mutable_data();
        each_row(x.size(), [&](index row) { // T_k' = k U_(k-1)
            const T t = x.data()[row];
            T before{}, now(1), sum{};
            for (index k = 0; k < number; ++k) {
                sum = sum + dy.data()[row * number + k] * now * T(k + 1);
                before = std::exchange(now, 2 * t * now - before);
            }
            to[row] = sum;
        });
        sink.template add<0>(dx);
    }

private:
    template <class F>
    void each_row(index rows, F&& f) const {
        const index grain = std::max<index>(1, 4096 / number);
        weft::detail::for_each_chunk((rows + grain - 1) / grain, static_cast<double>(rows * number), [&](index chunk) {
            for (index row = chunk * grain; row < std::min(rows, (chunk + 1) * grain); ++row) f(row);
        });
    }
};

} // namespace detail

/// The Chebyshev polynomials T_1 ... T_number of x [N] in [-1, 1]: [N, number]. Errors: no functions.
template <Expression X>
requires(X::rank == 1) auto chebyshev_basis(const X& x, index number) {
    if (number < 1) throw error("chebyshev_basis", "the number of functions is {}: must be at least 1", number);
    return apply_operation(detail::ChebyshevOperation{number}, x);
}

} // namespace weft::inline WEFT_ABI::so3
