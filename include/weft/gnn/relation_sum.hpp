// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/aggregation.hpp>
#include <weft/graph/relation_groups.hpp>
#include <weft/linalg/matmul.hpp>

#include <algorithm>

namespace weft::inline WEFT_ABI::gnn {

namespace detail {

/// Both ways go over the nodes they add to, destinations or sources, tile by tile: a tile gathers the rows of one
/// relation, and what it gathered meets the relation's matrix in a cache. Nothing is stored per group.
struct RelationSum {
    static constexpr auto name = "relation_sum";
    Graph graph;
    Tensor<std::int32_t, 1> edge_type;
    index num_relations;
    bool mean;

    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 2>& x, const Tensor<T, 3>& w) const {
        const RelationGroups groups = relation_groups(graph, edge_type, num_relations);
        return weft::detail::bilinear(x, w, [&]<class P>(const Tensor<P, 2>& h, const Tensor<P, 3>& matrices) {
            const index in = matrices.extent(1), out = matrices.extent(2);
            auto y = Tensor<P, 2>::zeros({graph.num_dst(), out});
            P* const to = y.mutable_data();
            for_each_part(groups, tiles(groups), in * out, [&](index part) {
                weft::detail::Scratch<P> gathered(tile * in), products(tile * out);
                for_each_run(groups, part, part + 1, [&](index r, index begin, index rows) {
                    gather_sums(groups, begin, rows, h.data(), in, gathered.data(),
                                [&](index, index members) { return mean ? P(1) / static_cast<P>(members) : P(1); });
                    weft::detail::product<P>(rows, out, in, {gathered.data(), in, 1},
                                             {matrices.data() + r * in * out, out, 1}, products.data(),
                                             weft::detail::Into::replace);
                    add_to_owners(groups, begin, rows, products.data(), out, to);
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
                    auto gradient = Tensor<P, 2>::zeros(x.shape());
                    gradients<P>(d, nullptr, matrices.data(), gradient.mutable_data(), nullptr, w.shape());
                    return gradient;
                });
            if (wants_w)
                dw = weft::detail::bilinear(x, dy, [&]<class P>(const Tensor<P, 2>& h, const Tensor<P, 2>& d) {
                    auto gradient = Tensor<P, 3>::zeros(w.shape());
                    gradients<P>(d, h.data(), nullptr, nullptr, gradient.mutable_data(), w.shape());
                    return gradient;
                });
        } else {
            if (wants_x) dx = Tensor<T, 2>::zeros(x.shape());
            if (wants_w) dw = Tensor<T, 3>::zeros(w.shape());
            gradients<T>(dy, x.data(), w.data(), wants_x ? dx.mutable_data() : nullptr,
                         wants_w ? dw.mutable_data() : nullptr, w.shape());
        }
        if (wants_x) sink.template add<0>(dx);
        if (wants_w) sink.template add<1>(dw);
    }

private:
    static constexpr index tile = 512, most_parts = 16, most_partial_elements = index{1} << 24;

    static index owner(const RelationGroups& groups, index group) { return groups.owners.destinations().data()[group]; }
    static index tiles(const RelationGroups& groups) { return weft::detail::divide_up(groups.owners.num_dst(), tile); }

    template <class F>
    static void for_each_part(const RelationGroups& groups, index parts, index matrix, F&& f) {
        weft::detail::for_each_chunk(
            parts, static_cast<double>(groups.owners.num_src()) * static_cast<double>(matrix) * 0.01, f);
    }
    /// Calls f(relation, first group, groups) for the groups of each relation whose owners are in the tiles.
    template <class F>
    static void for_each_run(const RelationGroups& groups, index tile_begin, index tile_end, F&& f) {
        const std::int32_t* const owners = groups.owners.destinations().data();
        const auto first_of = [&](std::size_t r, index node) {
            return std::lower_bound(owners + groups.ptr[r], owners + groups.ptr[r + 1], node) - owners;
        };
        for (index t = tile_begin; t < tile_end; ++t)
            for (std::size_t r = 0; r + 1 < groups.ptr.size(); ++r) {
                const index begin = first_of(r, t * tile), end = first_of(r, (t + 1) * tile);
                if (begin < end) f(static_cast<index>(r), begin, end - begin);
            }
    }

    /// How many edges enter the destination of each edge by the same relation, the edges in the order of `groups` of
    /// the reversed graph.
    Tensor<std::int32_t, 1> sizes_by_slot(const RelationGroups& groups) const {
        struct Key {
            bool operator==(const Key&) const = default;
        };
        return groups.members.cached(Key{}, [&] {
            return gather(relation_groups(graph, edge_type, num_relations).group_sizes, groups.members.in().eid);
        });
    }

    /// to [rows, width]: each group's sum of weight(slot of the edge, members of the group) times the row of x.
    template <class P, class Weight>
    static void gather_sums(const RelationGroups& groups, index begin, index rows, const P* x, index width, P* to,
                            Weight&& weight) {
        constexpr index block = 4 * lanes<P>;
        index f = 0;
        for (; f + block <= width; f += block) gather_block<4>(groups, begin, rows, x, width, f, to, weight);
        for (; f + lanes<P> <= width; f += lanes<P>) gather_block<1>(groups, begin, rows, x, width, f, to, weight);
        if (f < width) gather_block<0>(groups, begin, rows, x, width, f, to, weight);
    }
    /// The columns of B packets from f on; B = 0: the rest of the columns, less than a packet.
    template <int B, class P, class Weight>
    static void gather_block(const RelationGroups& groups, index begin, index rows, const P* x, index width, index f,
                             P* to, Weight&& weight) {
        constexpr int packets = B == 0 ? 1 : B;
        constexpr index ahead = 16, line = 64 / static_cast<index>(sizeof(P));
        const Csr& in = groups.members.in();
        const std::int32_t *const ptr = in.row_ptr.data(), *const col = in.col.data();
        const index last = ptr[begin + rows] - 1;
        const auto load = [&](const P* p) {
            if constexpr (B == 0)
                return load_first(p, width - f, P{});
            else
                return load_packet(p);
        };
        for (index i = 0; i < rows; ++i) {
            const index first = ptr[begin + i], end = ptr[begin + i + 1];
            Packet<P> sum[packets];
            for (Packet<P>& s : sum) s = splat(P{});
            for (index e = first; e < end; ++e) {
                const P* const next = x + col[std::min(e + ahead, last)] * width + f;
                for (index k = 0; k < packets * lanes<P>; k += line) __builtin_prefetch(next + k);
                const P* const row = x + col[e] * width + f;
                const Packet<P> scale = splat(weight(e, end - first));
                for (int b = 0; b < packets; ++b) sum[b] = sum[b] + scale * load(row + b * lanes<P>);
            }
            P* const result = to + i * width + f;
            if constexpr (B == 0)
                store_first(result, sum[0], width - f);
            else
                for (int b = 0; b < packets; ++b) store_packet(result + b * lanes<P>, sum[b]);
        }
    }
    template <class P>
    static void add_to_owners(const RelationGroups& groups, index begin, index rows, const P* from, index width,
                              P* to) {
        const std::int32_t* const owners = groups.owners.destinations().data() + begin;
        for (index i = 0; i < rows; ++i) weft::detail::add_run(to + owners[i] * width, from + i * width, width);
    }

    /// Adds those that are wanted. Each part of the tiles sums the gradients of the matrices on its own.
    template <class P>
    void gradients(const Tensor<P, 2>& dy, const P* x, const P* w, P* dx, P* dw, const Extents<3>& shape) const {
        const RelationGroups groups = relation_groups(graph.reverse(), edge_type, num_relations);
        const Tensor<std::int32_t, 1> sizes = sizes_by_slot(groups);
        const std::int32_t* const members = sizes.data();
        const index in = shape[1], out = shape[2], matrices = shape[0] * in * out;
        const index limit =
            dw ? std::clamp<index>(most_partial_elements / std::max<index>(matrices, 1), 1, most_parts) : most_parts;
        const index parts = std::min(tiles(groups), limit);
        weft::detail::Scratch<P> partial(dw ? parts * matrices : 0);
        for_each_part(groups, parts, 2 * in * out, [&](index part) {
            P* const sums = partial.data() + part * matrices;
            if (dw) std::fill_n(sums, matrices, P{});
            weft::detail::Scratch<P> gathered(tile * out), rows_of_x(tile * in);
            const index first = part * tiles(groups) / parts, last = (part + 1) * tiles(groups) / parts;
            for_each_run(groups, first, last, [&](index r, index begin, index rows) {
                gather_sums(groups, begin, rows, dy.data(), out, gathered.data(),
                            [&](index slot, index) { return mean ? P(1) / static_cast<P>(members[slot]) : P(1); });
                if (dw) {
                    for (index i = 0; i < rows; ++i)
                        std::copy_n(x + owner(groups, begin + i) * in, in, rows_of_x.data() + i * in);
                    weft::detail::product<P>(in, out, rows, {rows_of_x.data(), 1, in}, {gathered.data(), out, 1},
                                             sums + r * in * out, weft::detail::Into::add);
                }
                if (dx) {
                    weft::detail::product<P>(rows, in, out, {gathered.data(), out, 1}, {w + r * in * out, 1, out},
                                             rows_of_x.data(), weft::detail::Into::replace);
                    add_to_owners(groups, begin, rows, rows_of_x.data(), in, dx);
                }
            });
        });
        if (dw)
            for (index part = 0; part < parts; ++part)
                weft::detail::add_run(dw, partial.data() + part * matrices, matrices);
    }
};

} // namespace detail

/// y_i = sum over relations r of (aggr of x_j over the edges of r that enter i) W_r, x [N_src, in], edge_type [E], from
/// 0 to below R, w [R, in, out], y [N_dst, out]. Of P <= E pairs of a destination and a relation: O(E in + P in out)
/// time, and with Aggregation::add and mean no memory beyond y. Errors: x has not a row per source; the inner extents
/// differ; edge_type does not fit.
template <Expression X, Expression W>
requires(X::rank == 2 && W::rank == 3) auto relation_sum(const Graph& g, const Tensor<std::int32_t, 1>& edge_type,
                                                         const X& x, const W& w, Aggregation aggr = Aggregation::add) {
    if (x.shape()[0] != g.num_src() || x.shape()[1] != w.shape()[1])
        throw error("relation_sum", "x is {}, w is {}: they must be [{}, in] and [relations, in, out]",
                    weft::detail::shape_text(x.shape()), weft::detail::shape_text(w.shape()), g.num_src());
    const index relations = w.shape()[0];
    const RelationGroups groups = relation_groups(g, edge_type, relations);
    if (aggr == Aggregation::add || aggr == Aggregation::mean)
        return apply_operation(detail::RelationSum{g, edge_type, relations, aggr == Aggregation::mean}, x, w);
    return apply_operation(detail::RelationSum{groups.owners, groups.types, relations, false},
                           aggregate(groups.members, src(x), aggr), w);
}

} // namespace weft::inline WEFT_ABI::gnn
