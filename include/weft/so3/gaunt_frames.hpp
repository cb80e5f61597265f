// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/iteration.hpp>
#include <weft/so3/components.hpp>
#include <weft/so3/wigner_3j.hpp>

namespace weft::inline WEFT_ABI::so3::detail {

/// The couplings by which the rotation matrices of degree l follow from those of degrees l - 1 and 1, see
/// next_wigner_d: those of each component of the result, one list behind the other.
struct FrameCouplings {
    struct Degree {
        std::vector<Coupling> terms; // by k
        std::vector<std::size_t> end;
    };
    std::vector<Degree> degrees; // from 1 on

    FrameCouplings() = default;
    explicit FrameCouplings(int lmax) {
        for (int l = 1; l <= lmax; ++l) {
            Degree& degree = degrees.emplace_back();
            const auto all = couplings(l - 1, 1, l);
            for (int k = 0; k <= 2 * l; ++k) {
                for (const Coupling& c : *all)
                    if (c.k == k) degree.terms.push_back({c.i, c.j, c.k, c.value * std::sqrt(2 * l + 1.0)});
                degree.end.push_back(degree.terms.size());
            }
        }
    }
    int lmax() const { return static_cast<int>(degrees.size()); }
};

/// Frames whose axis y is the direction of an edge, of as many edges as a packet has lanes: the matrices D with
/// Y(R x) = D Y(x), for R that turns y into the direction. Frames depend smoothly on the direction, each of two kinds
/// on a half of the sphere; angles would not. Short edges, without a direction, have that of y.
template <class T>
class EdgeFrames {
public:
    static constexpr double shortest = 1e-12;

    explicit EdgeFrames(const FrameCouplings& couplings)
        : couplings_(couplings), memory_((begin_of(couplings.lmax() + 1) + 3 * (2 * couplings.lmax() + 1)) * w + 32) {
        matrices_ = memory_.take(begin_of(couplings.lmax() + 1) * w);
        part_ = memory_.take(3 * (2 * couplings.lmax() + 1) * w);
        std::fill_n(matrices_, begin_of(couplings.lmax() + 1) * w, T{});
        for (index e = 0; e < w; ++e) set(e, T{}, T(1), T{}, T{});
        store_packet(matrices_, splat(T(1)));
    }

    /// Edges eid[0 ... n), n at most the lanes; r [E, 3].
    void load(const std::int32_t* eid, index n, const T* r) {
        using std::sqrt;
        for (index e = 0; e < n; ++e) {
            const T* const at = r + 3 * eid[e];
            const T square = at[0] * at[0] + at[1] * at[1] + at[2] * at[2];
            if (square <= T(shortest * shortest)) {
                set(e, T{}, T(1), T{}, T{});
            } else {
                const T inverse = T(1) / sqrt(square);
                set(e, at[0] * inverse, at[1] * inverse, at[2] * inverse, inverse);
            }
        }
        for (int l = 2; l <= couplings_.lmax(); ++l) next(l);
    }
    /// 1 over the length of the edge; 0 of a short one.
    const T& inverse_length(index e) const { return inverse_length_[e]; }

    /// Components x of degrees up to lmax as they are in the frame of edge e, D^T x.
    void turn_in(index e, int lmax, const T* x, T* to) const { turn<false>(e, lmax, x, to); }
    /// to += the components of y, given in the frame, D y.
    void add_turned_back(index e, int lmax, const T* y, T* to) const { turn<true>(e, lmax, y, to); }
    /// The vector R (x, 0, z).
    std::array<T, 3> turned_back(index e, const T& x, const T& z) const {
        const T* const d = matrices_ + begin_of(1) * w + e;
        return {d[0] * x + d[2 * w] * z, d[3 * w] * x + d[5 * w] * z, d[6 * w] * x + d[8 * w] * z};
    }

private:
    static constexpr index w = lanes<T>;
    /// Elements of the matrices of degrees below l.
    static index begin_of(index l) { return l * (4 * l * l - 1) / 3; }

    void set(index e, const T& x, const T& y, const T& z, const T& inverse) {
        inverse_length_[e] = inverse;
        if (couplings_.lmax() == 0) return;
        T* const d = matrices_ + begin_of(1) * w + e;
        // The shortest turn from y; below, from there to the image of the direction in half a turn about x, and back.
        const T sign = y < T{} ? T(-1) : T(1), b = sign * y, c = sign * z, k = T(1) / (T(1) + b);
        d[0] = T(1) - x * x * k;
        d[w] = x;
        d[2 * w] = -(x * c * k);
        d[3 * w] = -(sign * x);
        d[4 * w] = y;
        d[5 * w] = -(sign * c);
        d[6 * w] = -(sign * x * c * k);
        d[7 * w] = z;
        d[8 * w] = sign * (T(1) - c * c * k);
    }
    WEFT_NOINLINE void next(int l) {
        using Scalar = typename weft::detail::DualScalar<T>::type;
        const FrameCouplings::Degree& degree = couplings_.degrees[static_cast<std::size_t>(l - 1)];
        const T* const one = matrices_ + begin_of(1) * w;
        const T* const before = matrices_ + begin_of(l - 1) * w;
        T* to = matrices_ + begin_of(l) * w;
        const index d = 2 * l + 1, d0 = d - 2;
        const auto factor = [](double value) { return splat(T(static_cast<Scalar>(value))); };
        std::size_t term = 0;
        for (index k = 0; k < d; ++k, to += d * w) {
            // part(i, j) = the sum over the couplings to k of C before(., i) one(., j)
            std::fill_n(part_, 3 * d0 * w, T{});
            for (; term < degree.end[static_cast<std::size_t>(k)]; ++term) {
                const Coupling& c = degree.terms[term];
                const Packet<T> value = factor(c.value);
                Packet<T> row[3];
                for (index j = 0; j < 3; ++j) row[j] = value * load_packet(one + (3 * c.j + j) * w);
                for (index i = 0; i < d0; ++i) {
                    const Packet<T> b = load_packet(before + (c.i * d0 + i) * w);
                    for (index j = 0; j < 3; ++j) {
                        T* const p = part_ + (3 * i + j) * w;
                        store_packet(p, multiply_add(b, row[j], load_packet(p)));
                    }
                }
            }
            std::size_t other = 0;
            for (index m = 0; m < d; ++m) {
                Packet<T> sum = splat(T{});
                for (; other < degree.end[static_cast<std::size_t>(m)]; ++other) {
                    const Coupling& c = degree.terms[other];
                    sum = multiply_add(factor(c.value), load_packet(part_ + (3 * c.i + c.j) * w), sum);
                }
                store_packet(to + m * w, sum);
            }
        }
    }
    template <bool Back>
    WEFT_NOINLINE void turn(index e, int lmax, const T* x, T* to) const {
        for (int l = 0; l <= lmax; ++l) {
            const T* const matrix = matrices_ + begin_of(l) * w + e;
            const index d = 2 * l + 1;
            index m = 0;
            for (; m + 8 <= d; m += 8) turn_few<Back, 8>(matrix, d, m, x, to);
            for (; m + 3 <= d; m += 3) turn_few<Back, 3>(matrix, d, m, x, to);
            for (; m < d; ++m) turn_few<Back, 1>(matrix, d, m, x, to);
            x += d * w;
            to += d * w;
        }
    }
    template <bool Back, int Few>
    WEFT_ALWAYS_INLINE void turn_few(const T* matrix, index d, index m, const T* x, T* to) const {
        const index step = (Back ? 1 : d) * w, across = (Back ? d : 1) * w;
        Packet<T> sum[Few];
#pragma GCC unroll 8
        for (int k = 0; k < Few; ++k) sum[k] = Back ? load_packet(to + (m + k) * w) : splat(T{});
        const T* from = matrix + m * across;
        for (index i = 0; i < d; ++i, from += step) {
            const Packet<T> value = load_packet(x + i * w);
#pragma GCC unroll 8
            for (int k = 0; k < Few; ++k) sum[k] = multiply_add(splat(from[k * across]), value, sum[k]);
        }
#pragma GCC unroll 8
        for (int k = 0; k < Few; ++k) store_packet(to + (m + k) * w, sum[k]);
    }

    const FrameCouplings& couplings_;
    weft::detail::Scratch<T> memory_;
    T *matrices_, *part_;
    T inverse_length_[w];
};

} // namespace weft::inline WEFT_ABI::so3::detail
