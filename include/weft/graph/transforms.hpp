// SPDX-License-Identifier: MIT
#pragma once

/// Graphs made of graphs.

#include <weft/graph/coalesce.hpp>
#include <weft/graph/directed_norm.hpp>
#include <weft/graph/edge_order.hpp>
#include <weft/graph/normalize.hpp>
#include <weft/graph/self_loops.hpp>
#include <weft/graph/subgraph.hpp>
