// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/so3/irreps.hpp>

/// What layers do to features in the layout mul_ir copy by copy: each copy of an irrep has 2l + 1 neighbouring
/// components, and numbers that belong to copies are in the same order, [..., num_irreps].
namespace weft::inline WEFT_ABI::so3 {

/// What a normalisation makes 1: the mean of the squares of the components of an irrep, or their sum.
enum class FeatureNormalization { component, norm };

namespace detail {

/// Errors: the last extent of x is not the dimension of the irreps.
template <class X>
void require_features(const char* operation, const X& x, const Irreps& irreps) {
    static_assert(X::rank >= 1, "weft: features need an axis of components");
    if (x.shape().back() != irreps.dim())
        throw error(operation, "x is {}: its last extent must be {}, the dimension of {}",
                    weft::detail::shape_text(x.shape()), irreps.dim(), irreps_text(irreps));
}

/// Calls f(begin, end) for ranges of rows of `width` elements, which take `nanoseconds` each.
template <class F>
void for_each_rows(index rows, index width, double nanoseconds, F&& f) {
    const index grain = std::max<index>(1, (index{1} << 13) / std::max<index>(width, 1));
    weft::detail::for_each_chunk((rows + grain - 1) / grain, static_cast<double>(rows) * nanoseconds,
                                 [&](index chunk) { f(chunk * grain, std::min(rows, (chunk + 1) * grain)); });
}

/// body(d), where the usual dimensions are known at compile time.
template <class F>
WEFT_ALWAYS_INLINE void with_dim(index d, F&& body) {
    switch (d) {
    case 1:
        return body(std::integral_constant<index, 1>{});
    case 3:
        return body(std::integral_constant<index, 3>{});
    case 5:
        return body(std::integral_constant<index, 5>{});
    case 7:
        return body(std::integral_constant<index, 7>{});
    default:
        return body(d);
    }
}
/// For each of the D packets that hold as many copies as there are lanes, the copy that each lane is of.
template <class T, index D>
struct CopiesOfLanes {
    LaneIndexOf<T> of[D];

    CopiesOfLanes() {
        for (index packet = 0; packet < D; ++packet) {
            int copy[16] = {};
            for (index i = 0; i < lanes<T>; ++i) copy[i] = static_cast<int>((packet * lanes<T> + i) / D);
            of[packet] = make_lane_index<T>(copy);
        }
    }
};

/// y_um = x_um s_u of n copies of d components; y may be x.
template <class T>
void scale_copies(const T* x, const T* s, index n, index d, T* y) {
    with_dim(d, [=]<class Dim>(Dim dim) {
        index u = 0;
        if constexpr (!std::is_same_v<Dim, index>) {
            constexpr index w = lanes<T>;
            static const CopiesOfLanes<T, Dim::value> copy;
            for (; u + w <= n; u += w) {
                const Packet<T> factors = load_packet(s + u);
                for (index k = 0; k < dim; ++k) {
                    const index at = u * dim + k * w;
                    const Packet<T> factor = permute<T>(factors, copy.of[k]);
                    store_packet(y + at, load_packet(x + at) * factor);
                }
            }
        }
        for (; u < n; ++u) {
            const T factor = s[u];
            for (index m = 0; m < dim; ++m) y[u * dim + m] = x[u * dim + m] * factor;
        }
    });
}
/// s_u = sum over m of a_um b_um
template <class T>
void dot_copies(const T* a, const T* b, index n, index d, T* s) {
    with_dim(d, [=](auto dim) {
        for (index u = 0; u < n; ++u) {
            T sum = a[u * dim] * b[u * dim];
            for (index m = 1; m < dim; ++m) sum = sum + a[u * dim + m] * b[u * dim + m];
            s[u] = sum;
        }
    });
}

struct DotCopies;

/// x [..., dim] times s [..., num_irreps], copy by copy.
struct ScaleCopies {
    static constexpr auto name = "scale_copies";
    Irreps irreps;

    template <class T, int N>
    Tensor<T, N> forward(const Tensor<T, N>& x, const Tensor<T, N>& s) const {
        auto y = Tensor<T, N>::empty(x.shape());
        T* const to = y.mutable_data();
        const index dim = irreps.dim(), copies = irreps.num_irreps(), rows = dim == 0 ? 0 : x.size() / dim;
        for_each_rows(rows, dim, 0.7 * static_cast<double>(dim), [&](index begin, index end) {
            for (index row = begin; row < end; ++row) {
                index at = row * dim, copy = row * copies;
                for (const MulIrrep& t : irreps) {
                    scale_copies(x.data() + at, s.data() + copy, t.mul, t.ir.dim(), to + at);
                    at += t.dim();
                    copy += t.mul;
                }
            }
        });
        return y;
    }
    template <class T, int N, class Sink>
    void backward(const Tensor<T, N>& dy, const Tensor<T, N>&, Sink& sink, const Tensor<T, N>& x,
                  const Tensor<T, N>& s) const;
};

/// The products of copies of a and b [..., dim]: [..., num_irreps].
struct DotCopies {
    static constexpr auto name = "dot_copies";
    Irreps irreps;

    template <class T, int N>
    Tensor<T, N> forward(const Tensor<T, N>& a, const Tensor<T, N>& b) const {
        const index dim = irreps.dim(), copies = irreps.num_irreps(), rows = dim == 0 ? 0 : a.size() / dim;
        Extents<N> shape = a.shape();
        shape.back() = copies;
        auto s = Tensor<T, N>::empty(shape);
        T* const to = s.mutable_data();
        for_each_rows(rows, dim, 0.7 * static_cast<double>(dim), [&](index begin, index end) {
            for (index row = begin; row < end; ++row) {
                index at = row * dim, copy = row * copies;
                for (const MulIrrep& t : irreps) {
                    dot_copies(a.data() + at, b.data() + at, t.mul, t.ir.dim(), to + copy);
                    at += t.dim();
                    copy += t.mul;
                }
            }
        });
        return s;
    }
    template <class T, int N, class Sink>
    void backward(const Tensor<T, N>& ds, const Tensor<T, N>&, Sink& sink, const Tensor<T, N>& a,
                  const Tensor<T, N>& b) const {
        if (sink.template wants<0>()) sink.template add<0>(ScaleCopies{irreps}.forward(b, ds));
        if (sink.template wants<1>()) sink.template add<1>(ScaleCopies{irreps}.forward(a, ds));
    }
};

template <class T, int N, class Sink>
void ScaleCopies::backward(const Tensor<T, N>& dy, const Tensor<T, N>&, Sink& sink, const Tensor<T, N>& x,
                           const Tensor<T, N>& s) const {
    if (sink.template wants<0>()) sink.template add<0>(forward(dy, s));
    if (sink.template wants<1>()) sink.template add<1>(DotCopies{irreps}.forward(dy, x));
}

} // namespace detail

/// Features x [..., dim] with every copy times its number in s [..., num_irreps]; leading axes are the same.
/// Errors: the shapes do not fit.
template <Expression X, Expression S>
auto scale_copies(const Irreps& irreps, const X& x, const S& s) {
    static_assert(X::rank == S::rank, "weft: scale_copies: x and s must have the same leading axes");
    detail::require_features("scale_copies", x, irreps);
    auto wanted = x.shape();
    wanted.back() = irreps.num_irreps();
    if (s.shape() != wanted)
        throw error("scale_copies", "x is {}, s is {}: s must be {}, a number for each copy of {}",
                    weft::detail::shape_text(x.shape()), weft::detail::shape_text(s.shape()),
                    weft::detail::shape_text(wanted), detail::irreps_text(irreps));
    return apply_operation(detail::ScaleCopies{irreps}, x, s);
}
/// The inner products of the copies of a and b [..., dim]: [..., num_irreps]. Errors: the shapes do not fit.
template <Expression A, Expression B>
auto dot_copies(const Irreps& irreps, const A& a, const B& b) {
    static_assert(A::rank == B::rank, "weft: dot_copies: a and b must have the same shape");
    detail::require_features("dot_copies", a, irreps);
    if (a.shape() != b.shape())
        throw error("dot_copies", "a is {}, b is {}: they must be equal", weft::detail::shape_text(a.shape()),
                    weft::detail::shape_text(b.shape()));
    return apply_operation(detail::DotCopies{irreps}, a, b);
}

} // namespace weft::inline WEFT_ABI::so3
