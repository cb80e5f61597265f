// SPDX-License-Identifier: MIT
#pragma once

#include <weft/attention/score_rules.hpp>
#include <weft/core/error.hpp>
#include <weft/core/format.hpp>

namespace weft::inline WEFT_ABI {

/// Of a block of queries and keys: none, some or all of its scores count.
enum class BlockKind : std::int8_t { skip = 0, partial = 1, full = 2 };

namespace detail {

/// kinds of blocks [B or 1, H or 1, ceil(Nq / rows), ceil(Nk / columns)] and, for those that are partial, a function of
/// the element: bool(b, h, i, j).
template <class Predicate>
struct BlockMask {
    static constexpr bool hides = true;
    index rows = 0, columns = 0;
    Tensor<std::int8_t, 4> kinds{};
    Predicate predicate;

    BlockKind block(index b, index h, index block_row, index block_column) const {
        const auto& s = kinds.shape();
        const index at = (((s[0] == 1 ? 0 : b) * s[1] + (s[1] == 1 ? 0 : h)) * s[2] + block_row) * s[3] + block_column;
        return static_cast<BlockKind>(kinds.data()[at]);
    }
    TileKind kind(const AttentionSequence& s, index first_head, index heads, KeyRange queries, KeyRange keys) const {
        bool any = false, all = true;
        for (index h = first_head; h < first_head + heads; ++h)
            for (index r = queries.first / rows; r * rows < queries.last; ++r)
                for (index c = keys.first / columns; c * columns < keys.last; ++c) {
                    const BlockKind k = block(s.number, h, r, c);
                    any |= k != BlockKind::skip;
                    all &= k == BlockKind::full;
                }
        return all ? TileKind::full : any ? TileKind::partial : TileKind::skip;
    }
    bool sees(index b, index h, index i, index j) const {
        const BlockKind k = block(b, h, i / rows, j / columns);
        return k == BlockKind::full || (k == BlockKind::partial && predicate(b, h, i, j));
    }
    void check(index b, index h, index queries, index keys) const {
        const Extents<4> needed{kinds.shape()[0] == 1 ? 1 : b, kinds.shape()[1] == 1 ? 1 : h,
                                (queries + rows - 1) / rows, (keys + columns - 1) / columns};
        if (kinds.shape() != needed)
            throw error("attention", "a mask of {} blocks of {} x {} scores for {} queries and {} keys: must be {}",
                        shape_text(kinds.shape()), rows, columns, queries, keys, shape_text(needed));
        predicate_check(predicate, queries, keys);
    }

private:
    template <class P>
    static void predicate_check(const P& p, index queries, index keys) {
        if constexpr (requires { p.check(queries, keys); }) p.check(queries, keys);
    }
};

/// elements [Nq, Nk] that are not 0.
struct ElementMask {
    Tensor<std::uint8_t, 2> elements{};

    bool operator()(index, index, index i, index j) const { return elements.data()[i * elements.shape()[1] + j] != 0; }
    void check(index queries, index keys) const {
        if (elements.shape() != Extents<2>{queries, keys})
            throw error("attention", "a mask of {} elements for {} queries and {} keys", shape_text(elements.shape()),
                        queries, keys);
    }
};

inline void check_block(index rows, index columns) {
    if (rows < 1 || columns < 1) throw error("block_mask", "blocks of {} x {}: must be positive", rows, columns);
}

} // namespace detail

/// The mask of given kinds of blocks (BlockKind) of block[0] queries and block[1] keys, which need not divide their
/// numbers; what is not 0 in elements [Nq, Nk] counts in partial blocks. Blocks that are skipped cost nothing. Errors:
/// a kind that is none; blocks of no size.
template <class I>
auto block_mask(const Tensor<I, 2>& kinds, std::array<index, 2> block, const Tensor<std::uint8_t, 2>& elements) {
    detail::check_block(block[0], block[1]);
    auto copy = Tensor<std::int8_t, 4>::empty({1, 1, kinds.shape()[0], kinds.shape()[1]});
    for (index i = 0; i < kinds.size(); ++i) {
        if (kinds.data()[i] < 0 || kinds.data()[i] > 2)
            throw error("block_mask", "a kind is {}: must be 0 (skip), 1 (partial) or 2 (full)", kinds.data()[i]);
        copy.mutable_data()[i] = static_cast<std::int8_t>(kinds.data()[i]);
    }
    return detail::BlockMask<detail::ElementMask>{block[0], block[1], copy, {elements}};
}

/// The mask of a function sees(b, h, i, j), with its blocks: shape {B or 1, H or 1, Nq, Nk}; with 1, the function does
/// not depend on the sequence or head. It is called for every score once here, and for those of partial blocks later.
template <class Predicate>
auto block_mask(const Predicate& sees, const Extents<4>& shape, std::array<index, 2> block = {64, 64}) {
    detail::check_block(block[0], block[1]);
    const auto [batch, heads, queries, keys] = shape;
    const index rows = (queries + block[0] - 1) / block[0], columns = (keys + block[1] - 1) / block[1];
    auto kinds = Tensor<std::int8_t, 4>::empty({batch, heads, rows, columns});
    std::int8_t* to = kinds.mutable_data();
    for (index b = 0; b < batch; ++b)
        for (index h = 0; h < heads; ++h)
            for (index r = 0; r < rows; ++r)
                for (index c = 0; c < columns; ++c) {
                    bool any = false, all = true;
                    for (index i = r * block[0]; i < std::min((r + 1) * block[0], queries); ++i)
                        for (index j = c * block[1]; j < std::min((c + 1) * block[1], keys); ++j) {
                            const bool seen = sees(b, h, i, j);
                            any = any || seen;
                            all = all && seen;
                        }
                    *to++ = static_cast<std::int8_t>(all   ? BlockKind::full
                                                     : any ? BlockKind::partial
                                                           : BlockKind::skip);
                }
    return detail::BlockMask<Predicate>{block[0], block[1], kinds, sees};
}

} // namespace weft::inline WEFT_ABI
