// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/tensor.hpp>

#include <array>
#include <cstdint>
#include <optional>

namespace weft::inline WEFT_ABI {

/// Which keys come after a query. With Nq queries and Nk keys, query i sees key j where j <= i + (Nk - Nq), as decoding
/// needs it, or where j <= i, as PyTorch's is_causal has it.
enum class Causal : char { none, bottom_right, top_left };

/// What the scores of `attention` are made of, and which of them count.
struct AttentionOptions {
    std::optional<double> scale{};   ///< of the products q k; else 1 / sqrt(D)
    std::optional<double> softcap{}; ///< c > 0: scores x become c tanh(x / c)
    Causal causal = Causal::none;
    /// Query i sees keys i + (Nk - Nq) - window[0] to i + (Nk - Nq) + window[1]; -1: no bound on that side.
    std::array<index, 2> window{-1, -1};
    /// [B] How many of the keys of each sequence exist; empty: all. What lies behind them has no influence.
    Tensor<std::int64_t, 1> key_lengths{};
    /// [Hq] ALiBi: scores lose slope |i + (Nk - Nq) - j|; empty: none. See alibi_slopes.
    Tensor<double, 1> slopes{};

    double dropout = 0; ///< probability with which a weight becomes 0; the others are divided by 1 - dropout
    /// Of the random numbers: the weight of query i and key j of head h of sequence b depends on these, b, h, i and j.
    std::uint64_t seed = 0;
    std::uint32_t offset = 0;

    /// Queries and keys in a tile; 0: chosen. Results differ by rounding only.
    index tile_rows = 0, tile_keys = 0;
};

} // namespace weft::inline WEFT_ABI
