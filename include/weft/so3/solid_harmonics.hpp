// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/math.hpp>
#include <weft/core/pool_allocator.hpp>
#include <weft/core/shape.hpp>

#include <cmath>
#include <numbers>

namespace weft::inline WEFT_ABI::so3 {

/// The size of spherical harmonics Y_l(u), u of length 1, as e3nn names it. `integral`: the integral of Y_lm^2 over the
/// sphere is 1. `component`: the sum of Y_lm^2 over m is 2l + 1. `norm`: that sum is 1.
enum class Normalization { integral, component, norm };

namespace detail {

/// What one function of degree l is multiplied with to get from `component` to another normalisation.
inline double normalization_factor(Normalization normalization, int l) {
    switch (normalization) {
    case Normalization::integral:
        return 0.5 * std::numbers::inv_sqrtpi;
    case Normalization::norm:
        return 1 / std::sqrt(2.0 * l + 1);
    case Normalization::component:
        break;
    }
    return 1;
}

/// The numbers of one step of the recursion over the degrees l of an order m. Q_l,m is the polynomial in z and r^2 that
/// is multiplied with Re or Im (x + i y)^m to give Y_lm: the Legendre function with its normalisation, without the
/// power of the sine.
///     Q_l,m = along z Q_l-1,m + back r^2 Q_l-2,m; at l = m it is `along`, at l = m + 1 along z
///     d Q_l,m / dz = slope Q_l-1,m,  d Q_l,m-1 / dx = -across x Q_l-1,m, and so for y
template <class Real>
struct HarmonicStep {
    Real along, back, slope, across;
};

/// The steps for l = m, ..., lmax of m = 0, one behind the other, then those of m = 1, ...
template <class Real>
weft::detail::PoolVector<HarmonicStep<Real>> harmonic_steps(int lmax, Normalization normalization) {
    weft::detail::PoolVector<HarmonicStep<Real>> steps;
    weft::detail::PoolVector<double> scale(static_cast<std::size_t>(lmax) + 1);
    for (int l = 0; l <= lmax; ++l) scale[static_cast<std::size_t>(l)] = normalization_factor(normalization, l);
    // What takes degree `from` to degree l, times the square root of `square`.
    const auto factor = [&](double square, int l, int from) {
        return static_cast<Real>(std::sqrt(square) * scale[static_cast<std::size_t>(l)] /
                                 scale[static_cast<std::size_t>(from)]);
    };
    steps.reserve(scale.size() * (scale.size() + 1) / 2);
    double diagonal = 1; // Q_m,m^2
    for (int m = 0; m <= lmax; ++m) {
        if (m > 0) diagonal *= (m == 1 ? 2.0 : 1.0) * (2 * m + 1) / (2.0 * m);
        steps.push_back({static_cast<Real>(std::sqrt(diagonal) * scale[static_cast<std::size_t>(m)]), 0, 0, 0});
        for (int l = m + 1; l <= lmax; ++l) {
            const double a = l, b = m, up = (2 * a + 1) / (2 * a - 1);
            const double along = (2 * a - 1) * (2 * a + 1) / ((a - b) * (a + b));
            const double before = (a - 1 - b) * (a - 1 + b) / ((2 * a - 3) * (2 * a - 1));
            HarmonicStep<Real> s{};
            if (l == m + 1) {
                s.along = static_cast<Real>(std::sqrt(along * diagonal) * scale[static_cast<std::size_t>(l)]);
            } else {
                s.along = factor(along, l, l - 1);
                s.back = -factor(along * before, l, l - 2);
            }
            s.slope = factor(up * (a - b) * (a + b), l, l - 1);
            if (m > 0) s.across = factor(up * (a - b + 1) * (a - b) * (m == 1 ? 0.5 : 1.0), l, l - 1);
            steps.push_back(s);
        }
    }
    return steps;
}

/// A few packets of points side by side, so that a step of a recursion has independent work for all units.
template <class T, int U>
struct PointGroup {
    using Real = typename weft::detail::DualScalar<T>::type;
    static constexpr index size = U * lanes<T>;
    Packet<T> part[U];

    PointGroup() = default; // whatever it be
    explicit WEFT_ALWAYS_INLINE PointGroup(Real c) {
#pragma GCC unroll 8
        for (int u = 0; u < U; ++u) part[u] = math::number<Packet<T>>(c);
    }
    explicit WEFT_ALWAYS_INLINE PointGroup(const T* p) {
#pragma GCC unroll 8
        for (int u = 0; u < U; ++u) part[u] = load_packet(p + u * lanes<T>);
    }
    WEFT_ALWAYS_INLINE void store(T* p) const {
#pragma GCC unroll 8
        for (int u = 0; u < U; ++u) store_packet(p + u * lanes<T>, part[u]);
    }
    /// c, where this is not NaN.
    WEFT_ALWAYS_INLINE PointGroup constant(Real c) const {
        PointGroup r;
#pragma GCC unroll 8
        for (int u = 0; u < U; ++u) r.part[u] = select(part[u] == part[u], math::number<Packet<T>>(c), part[u]);
        return r;
    }
    /// 1 / max(length, least) for the squares of lengths; in `slope` 0 instead where the length is not above `least`.
    WEFT_ALWAYS_INLINE PointGroup inverse_length(double least, PointGroup& slope) const {
        using V = Packet<T>;
        PointGroup r;
#pragma GCC unroll 8
        for (int u = 0; u < U; ++u) {
            const V length = math::sqrt(part[u]), bound = math::number<V>(least);
            const auto none = length <= bound; // not so for NaN
            r.part[u] = math::number<V>(1) / select(none, bound, length);
            slope.part[u] = select(none, math::number<V>(0), r.part[u]);
        }
        return r;
    }
    friend WEFT_ALWAYS_INLINE PointGroup operator*(const PointGroup& a, const PointGroup& b) {
        PointGroup r;
#pragma GCC unroll 8
        for (int u = 0; u < U; ++u) r.part[u] = a.part[u] * b.part[u];
        return r;
    }
    friend WEFT_ALWAYS_INLINE PointGroup operator*(Real c, const PointGroup& a) {
        PointGroup r;
#pragma GCC unroll 8
        for (int u = 0; u < U; ++u) r.part[u] = splat(c) * a.part[u];
        return r;
    }
    /// a b + c
    friend WEFT_ALWAYS_INLINE PointGroup fma(const PointGroup& a, const PointGroup& b, const PointGroup& c) {
        PointGroup r;
#pragma GCC unroll 8
        for (int u = 0; u < U; ++u) r.part[u] = math::fma(a.part[u], b.part[u], c.part[u]);
        return r;
    }
    /// c - a b
    friend WEFT_ALWAYS_INLINE PointGroup fnma(const PointGroup& a, const PointGroup& b, const PointGroup& c) {
        PointGroup r;
#pragma GCC unroll 8
        for (int u = 0; u < U; ++u) r.part[u] = math::fma(Packet<T>(-a.part[u]), b.part[u], c.part[u]);
        return r;
    }
};

/// Points in the axes of the recursion: its polar axis z is e3nn's y, its x and y are e3nn's z and x. `inverse`: what
/// the gradient of normalised coordinates is multiplied with.
template <class G>
struct HarmonicPoints {
    G x, y, z, square, inverse;

    WEFT_ALWAYS_INLINE void set_square() { square = fma(x, x, fma(y, y, z * z)); }
};

/// Q_l,m of one order, degree by degree.
template <class G>
struct LegendreRow {
    G before, current; // of degrees l - 1 and l

    /// To the next degree; `second`: there is no degree before the current one.
    template <class Step>
    WEFT_ALWAYS_INLINE void advance(const Step& step, const HarmonicPoints<G>& at, bool second) {
        G next = step.along * at.z;
        if (!second) next = fma(next, current, (step.back * at.square) * before);
        before = current;
        current = next;
    }
};

} // namespace detail

/// Values and gradients of real spherical harmonics of degrees 0 to lmax at blocks of points that lie side by side:
/// coordinate or component k of point i of a block is at [k * stride + i]. Points are in rows x, y, z, functions in
/// rows l^2 + l + m. With `normalize`, a point stands for its direction, x / max(|x|, 1e-12), and the gradient at
/// points not longer than that is 0; without it the functions are the homogeneous polynomials |x|^l Y_lm(x / |x|).
///
/// Computed by the recursion over degrees of Legendre functions that are normalised, so that nothing overflows at high
/// degrees; its coefficients are run-time numbers, which costs no time where each serves several packets of points. The
/// gradient computes the functions again and stores nothing. O(lmax^2) per point. T is float, double or Dual<double>.
template <class T>
class SolidHarmonics {
    using Real = typename weft::detail::DualScalar<T>::type;
    using Step = detail::HarmonicStep<Real>;
#if defined(__AVX512F__) || defined(__aarch64__)
    static constexpr int registers = 32;
#else
    static constexpr int registers = 16;
#endif
    static constexpr int dual = std::is_same_v<T, Real> ? 1 : 2;
    static constexpr int value_packets = registers / 8 / dual;
    static constexpr int gradient_packets = std::max(1, registers / 16 / dual);

public:
    /// Points of a block are a multiple of this, which is a multiple of the lanes of a packet.
    static constexpr index multiple = std::max(value_packets, gradient_packets) * lanes<T>;

    /// Degrees 0 to lmax; of the directions of points instead of the points if `normalize`.
    SolidHarmonics(int lmax, Normalization normalization, bool normalize)
        : lmax_(lmax), normalize_(normalize), steps_(detail::harmonic_steps<Real>(lmax, normalization)) {}

    /// Number of functions, (lmax + 1)^2.
    index components() const noexcept { return (lmax_ + 1) * (lmax_ + 1); }

    /// y [components, stride] of x [3, stride].
    void values(const T* x, T* y, index points, index stride) const {
        using G = detail::PointGroup<T, value_packets>;
        for (index i = 0; i < points; i += G::size) values_of<G>(x + i, y + i, stride);
    }
    /// dx [3, stride], the gradient of sum(dy y), of x [3, stride] and dy [components, stride], which is overwritten.
    void gradient(const T* x, T* dy, T* dx, index points, index stride) const {
        using G = detail::PointGroup<T, gradient_packets>;
        for (index i = 0; i < points; i += G::size) gradient_of<G>(x + i, dy + i, dx + i, stride);
    }

private:
    template <class G>
    WEFT_ALWAYS_INLINE detail::HarmonicPoints<G> load(const T* x, index stride) const {
        detail::HarmonicPoints<G> at{G(x + 2 * stride), G(x), G(x + stride), {}, {}};
        at.set_square();
        if (normalize_) {
            const G scale = at.square.inverse_length(1e-12, at.inverse);
            at.x = at.x * scale;
            at.y = at.y * scale;
            at.z = at.z * scale;
            at.set_square();
        }
        return at;
    }

    template <class G>
    WEFT_NOINLINE void values_of(const T* x, T* y, index stride) const {
        const detail::HarmonicPoints<G> at = load<G>(x, stride);
        const Step* step = steps_.data();

        detail::LegendreRow<G> p{{}, at.square.constant(step->along)};
        p.current.store(y);
        for (index l = 1; l <= lmax_; ++l) {
            p.advance(*++step, at, l == 1);
            p.current.store(y + l * (l + 1) * stride);
        }
        G c = at.x, s = at.y; // real and imaginary part of (x + i y)^m
        for (index m = 1; m <= lmax_; ++m) {
            for (index l = m; l <= lmax_; ++l) {
                ++step;
                if (l == m)
                    p.current = G(step->along);
                else
                    p.advance(*step, at, l == m + 1);
                T* const center = y + l * (l + 1) * stride;
                (p.current * c).store(center + m * stride);
                (p.current * s).store(center - m * stride);
            }
            const G turned = fma(at.x, s, at.y * c);
            c = fnma(at.y, s, at.x * c);
            s = turned;
        }
    }

    template <class G>
    WEFT_NOINLINE void gradient_of(const T* x, T* dy, T* dx, index stride) const {
        const detail::HarmonicPoints<G> at = load<G>(x, stride);
        const Step* step = steps_.data();
        G along_x(Real(0)), along_y(Real(0)), along_z(Real(0)), across(Real(0));

        detail::LegendreRow<G> p{{}, G(step->along)};
        for (index l = 1; l <= lmax_; ++l) {
            ++step;
            along_z = fma(step->slope * p.current, G(dy + l * (l + 1) * stride), along_z);
            p.advance(*step, at, l == 1);
        }
        G c(Real(1)), s(Real(0)); // real and imaginary part of (x + i y)^(m - 1)
        for (index m = 1; m <= lmax_; ++m) {
            const G next_c = fnma(at.y, s, at.x * c), next_s = fma(at.x, s, at.y * c);
            G plus(Real(0)), minus(Real(0)); // sums over l of Q times dy of m and -m
            for (index l = m; l <= lmax_; ++l) {
                ++step;
                T* const center = dy + l * (l + 1) * stride;
                const G dy_plus(center + m * stride), dy_minus(center - m * stride);
                if (l == m) {
                    p.current = G(step->along);
                } else {
                    // the gradient of Q; it stays where dy of m was, for the next order
                    const G part = fma(dy_plus, next_c, dy_minus * next_s);
                    along_z = fma(step->slope * p.current, part, along_z);
                    across = fma(step->across * p.current, G(center + (m - 1) * stride), across);
                    part.store(center + m * stride);
                    p.advance(*step, at, l == m + 1);
                }
                plus = fma(p.current, dy_plus, plus);
                minus = fma(p.current, dy_minus, minus);
            }
            const G of_plus = Real(m) * plus, of_minus = Real(m) * minus;
            along_x = fma(of_plus, c, fma(of_minus, s, along_x));
            along_y = fma(of_minus, c, fnma(of_plus, s, along_y));
            c = next_c;
            s = next_s;
        }
        along_x = fnma(at.x, across, along_x);
        along_y = fnma(at.y, across, along_y);
        if (normalize_) {
            const G radial = fma(at.x, along_x, fma(at.y, along_y, at.z * along_z));
            along_x = at.inverse * fnma(at.x, radial, along_x);
            along_y = at.inverse * fnma(at.y, radial, along_y);
            along_z = at.inverse * fnma(at.z, radial, along_z);
        }
        along_x.store(dx + 2 * stride);
        along_y.store(dx);
        along_z.store(dx + stride);
    }

    index lmax_;
    bool normalize_;
    weft::detail::PoolVector<Step> steps_;
};

} // namespace weft::inline WEFT_ABI::so3
