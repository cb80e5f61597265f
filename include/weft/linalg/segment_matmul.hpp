// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/matmul.hpp>

#include <vector>

namespace weft::inline WEFT_ABI {

namespace detail {

/// Rows x[ptr[s]] ... x[ptr[s + 1]] times matrix w[s].
struct SegmentMatMul {
    static constexpr auto name = "segment_matmul";
    std::vector<index> ptr;

    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 2>& x, const Tensor<T, 3>& w) const {
        const index in = x.extent(1), out = w.extent(2);
        return bilinear(x, w, [&]<class P>(const Tensor<P, 2>& a, const Tensor<P, 3>& b) {
            auto y = Tensor<P, 2>::empty({a.extent(0), out});
            P* const to = y.mutable_data();
            for_each_segment([&](index s, index begin, index rows) {
                product<P>(rows, out, in, {a.data() + begin * in, in, 1}, {b.data() + s * in * out, out, 1},
                           to + begin * out, Into::replace);
            });
            return y;
        });
    }
    template <class T, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, 2>& x,
                  const Tensor<T, 3>& w) const {
        const index in = x.extent(1), out = w.extent(2);
        if (sink.template wants<0>())
            sink.template add<0>(bilinear(dy, w, [&]<class P>(const Tensor<P, 2>& d, const Tensor<P, 3>& b) {
                auto dx = Tensor<P, 2>::empty({d.extent(0), in});
                P* const to = dx.mutable_data();
                for_each_segment([&](index s, index begin, index rows) {
                    product<P>(rows, in, out, {d.data() + begin * out, out, 1}, {b.data() + s * in * out, 1, out},
                               to + begin * in, Into::replace);
                });
                return dx;
            }));
        if (sink.template wants<1>())
            sink.template add<1>(bilinear(x, dy, [&]<class P>(const Tensor<P, 2>& a, const Tensor<P, 2>& d) {
                auto dw = Tensor<P, 3>::zeros(w.shape());
                P* const to = dw.mutable_data();
                for_each_segment([&](index s, index begin, index rows) {
                    product<P>(in, out, rows, {a.data() + begin * in, 1, in}, {d.data() + begin * out, out, 1},
                               to + s * in * out, Into::replace);
                });
                return dw;
            }));
    }

private:
    template <class F>
    void for_each_segment(F&& f) const {
        for (std::size_t s = 0; s + 1 < ptr.size(); ++s)
            if (const index rows = ptr[s + 1] - ptr[s]; rows > 0) f(static_cast<index>(s), ptr[s], rows);
    }
};

} // namespace detail

/// Consecutive rows with a matrix of their own each: y[i] = x[i] w[s] for i in [ptr[s], ptr[s + 1]), x [P, in],
/// w [S, in, out], y [P, out]. O(P in out). Errors: the inner extents differ; ptr does not rise from 0 to P in S
/// steps.
template <Expression X, Expression W>
requires(X::rank == 2 && W::rank == 3) auto segment_matmul(const X& x, std::vector<index> ptr, const W& w) {
    if (x.shape()[1] != w.shape()[1])
        throw error("segment_matmul", "x is {}, w is {}: inner extents {} and {} must be equal",
                    detail::shape_text(x.shape()), detail::shape_text(w.shape()), x.shape()[1], w.shape()[1]);
    if (static_cast<index>(ptr.size()) != w.shape()[0] + 1 || ptr.front() != 0 || ptr.back() != x.shape()[0] ||
        !std::is_sorted(ptr.begin(), ptr.end()))
        throw error("segment_matmul", "ptr has {} entries: it must rise from 0 to {}, the rows of x, in {} steps",
                    ptr.size(), x.shape()[0], w.shape()[0]);
    return apply_operation(detail::SegmentMatMul{std::move(ptr)}, x, w);
}

} // namespace weft::inline WEFT_ABI
