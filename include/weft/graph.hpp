// SPDX-License-Identifier: MIT
#pragma once

/// Graphs, batches of graphs, their transforms, sampled neighbourhoods, and expressions over edges.

#include <weft/graph/batch.hpp>
#include <weft/graph/dot.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/graph/edge_softmax.hpp>
#include <weft/graph/edge_statistics.hpp>
#include <weft/graph/graph.hpp>
#include <weft/graph/neighbor_loader.hpp>
#include <weft/graph/neighbor_sampler.hpp>
#include <weft/graph/row_sum.hpp>
#include <weft/graph/transforms.hpp>
