// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/relation_groups.hpp>
#include <weft/linalg/matmul.hpp>

#include <algorithm>

namespace weft::inline WEFT_ABI::gnn {

namespace detail {

/// Takes the destinations tile by tile, so that the rows between products and sums stay in a cache.
struct RelationProduct {
    static constexpr auto name = "relation_product";
    RelationGroups groups;

    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 2>& x, const Tensor<T, 3>& w) const {
        return weft::detail::bilinear(x, w, [&]<class P>(const Tensor<P, 2>& h, const Tensor<P, 3>& matrices) {
            const index in = matrices.extent(1), out = matrices.extent(2);
            auto y = Tensor<P, 2>::zeros({groups.owners.num_dst(), out});
            P* const to = y.mutable_data();
            for_each_part(tiles(), in * out, [&](index part) {
                weft::detail::Scratch<P> products(tile * out);
                for_each_run(part, part + 1, [&](index r, index begin, index rows) {
                    weft::detail::product<P>(rows, out, in, {h.data() + begin * in, in, 1},
                                             {matrices.data() + r * in * out, out, 1}, products.data(),
                                             weft::detail::Into::replace);
                    for (index i = 0; i < rows; ++i)
                        weft::detail::add_run(to + owner(begin + i) * out, products.data() + i * out, out);
                });
            });
            return y;
        });
    }
    template <class T, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, 2>& x,
                  const Tensor<T, 3>& w) const {
        const bool wants_x = sink.template wants<0>(), wants_w = sink.template wants<1>();
        Tensor<T, 2> dx;
        Tensor<T, 3> dw;
        if constexpr (weft::detail::IsDual<T>::value) {
            if (wants_x)
                dx = weft::detail::bilinear(dy, w, [&]<class P>(const Tensor<P, 2>& d, const Tensor<P, 3>& matrices) {
                    auto gradient = Tensor<P, 2>::empty(x.shape());
                    gradients<P>(d, nullptr, matrices.data(), gradient.mutable_data(), nullptr, w.shape());
                    return gradient;
                });
            if (wants_w)
                dw = weft::detail::bilinear(x, dy, [&]<class P>(const Tensor<P, 2>& h, const Tensor<P, 2>& d) {
                    auto gradient = Tensor<P, 3>::empty(w.shape());
                    gradients<P>(d, h.data(), nullptr, nullptr, gradient.mutable_data(), w.shape());
                    return gradient;
                });
        } else {
            if (wants_x) dx = Tensor<T, 2>::empty(x.shape());
            if (wants_w) dw = Tensor<T, 3>::empty(w.shape());
            gradients<T>(dy, x.data(), w.data(), wants_x ? dx.mutable_data() : nullptr,
                         wants_w ? dw.mutable_data() : nullptr, w.shape());
        }
        if (wants_x) sink.template add<0>(dx);
        if (wants_w) sink.template add<1>(dw);
    }

private:
    static constexpr index tile = 512, most_parts = 16, most_partial_elements = index{1} << 24;

    index owner(index group) const { return groups.owners.destinations().data()[group]; }
    index tiles() const { return weft::detail::divide_up(groups.owners.num_dst(), tile); }

    template <class F>
    void for_each_part(index parts, index matrix, F&& f) const {
        weft::detail::for_each_chunk(
            parts, static_cast<double>(groups.owners.num_src()) * static_cast<double>(matrix) * 0.01, f);
    }
    /// Calls f(relation, first group, groups) for the groups of each relation that the destinations of a tile own.
    template <class F>
    void for_each_run(index tile_begin, index tile_end, F&& f) const {
        const std::int32_t* const owners = groups.owners.destinations().data();
        const auto first_of = [&](std::size_t r, index destination) {
            return std::lower_bound(owners + groups.ptr[r], owners + groups.ptr[r + 1], destination) - owners;
        };
        for (index t = tile_begin; t < tile_end; ++t)
            for (std::size_t r = 0; r + 1 < groups.ptr.size(); ++r) {
                const index begin = first_of(r, t * tile), end = first_of(r, (t + 1) * tile);
                if (begin < end) f(static_cast<index>(r), begin, end - begin);
            }
    }
    /// Those that are wanted. Each part of the tiles sums the gradients of the matrices on its own.
    template <class P>
    void gradients(const Tensor<P, 2>& dy, const P* h, const P* w, P* dh, P* dw, const Extents<3>& shape) const {
        const index in = shape[1], out = shape[2], matrices = shape[0] * in * out;
        const index limit =
            dw ? std::clamp<index>(most_partial_elements / std::max<index>(matrices, 1), 1, most_parts) : most_parts;
        const index parts = std::min(tiles(), limit);
        weft::detail::Scratch<P> partial(dw ? parts * matrices : 0);
        for_each_part(parts, 2 * in * out, [&](index part) {
            P* const sums = partial.data() + part * matrices;
            if (dw) std::fill_n(sums, matrices, P{});
            weft::detail::Scratch<P> adjoints(tile * out);
            for_each_run(part * tiles() / parts, (part + 1) * tiles() / parts, [&](index r, index begin, index rows) {
                P* const d = adjoints.data();
                for (index i = 0; i < rows; ++i) std::copy_n(dy.data() + owner(begin + i) * out, out, d + i * out);
                if (dh)
                    weft::detail::product<P>(rows, in, out, {d, out, 1}, {w + r * in * out, 1, out}, dh + begin * in,
                                             weft::detail::Into::replace);
                if (dw)
                    weft::detail::product<P>(in, out, rows, {h + begin * in, 1, in}, {d, out, 1}, sums + r * in * out,
                                             weft::detail::Into::add);
            });
        });
        if (!dw) return;
        std::fill_n(dw, matrices, P{});
        for (index part = 0; part < parts; ++part)
            weft::detail::add_run(dw, partial.data() + part * matrices, matrices);
    }
};

} // namespace detail

/// The sum over the groups of each destination, y_i = sum over groups p of i of h_p w_r(p), h [P, in], w [R, in, out],
/// y [N_dst, out]; see RelationGroups. O(P in out). Errors: h has not a row per group; the inner extents differ; w has
/// not a matrix per relation.
template <Expression H, Expression W>
requires(H::rank == 2 && W::rank == 3) auto relation_product(const RelationGroups& groups, const H& h, const W& w) {
    if (h.shape()[0] != groups.owners.num_src() || h.shape()[1] != w.shape()[1] ||
        w.shape()[0] + 1 != static_cast<index>(groups.ptr.size()))
        throw error("relation_product", "h is {}, w is {}: they must be [{}, in] and [{}, in, out]",
                    weft::detail::shape_text(h.shape()), weft::detail::shape_text(w.shape()), groups.owners.num_src(),
                    groups.ptr.size() - 1);
    return apply_operation(detail::RelationProduct{groups}, h, w);
}

} // namespace weft::inline WEFT_ABI::gnn
