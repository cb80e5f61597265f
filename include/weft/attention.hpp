// SPDX-License-Identifier: MIT
#pragma once

/// Attention without a matrix of scores in memory, its masks, caches and gradients, and the layers made of it.

#include <weft/attention/alibi_slopes.hpp>
#include <weft/attention/attention.hpp>
#include <weft/attention/attention_result.hpp>
#include <weft/attention/graph_attention.hpp>
#include <weft/attention/kv_cache.hpp>
#include <weft/attention/masks.hpp>
#include <weft/attention/multihead_attention.hpp>
#include <weft/attention/rotary_embedding.hpp>
#include <weft/attention/transformer_block.hpp>
