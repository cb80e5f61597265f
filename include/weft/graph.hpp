// SPDX-License-Identifier: MIT
#pragma once

/// Graphs, batches of graphs, their transforms and samples, and expressions over edges.

#include <weft/graph/batch.hpp>
#include <weft/graph/block_model.hpp>
#include <weft/graph/bow_tie.hpp>
#include <weft/graph/complex_sum.hpp>
#include <weft/graph/degree_histogram.hpp>
#include <weft/graph/digraph_operators.hpp>
#include <weft/graph/directed_norm.hpp>
#include <weft/graph/dot.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/graph/edge_softmax.hpp>
#include <weft/graph/edge_statistics.hpp>
#include <weft/graph/graph.hpp>
#include <weft/graph/graph_from_csr.hpp>
#include <weft/graph/hetero_graph.hpp>
#include <weft/graph/homophily.hpp>
#include <weft/graph/hypergraph.hpp>
#include <weft/graph/magnetic_laplacian.hpp>
#include <weft/graph/neighbor_loader.hpp>
#include <weft/graph/page_rank.hpp>
#include <weft/graph/relation_groups.hpp>
#include <weft/graph/row_sum.hpp>
#include <weft/graph/strong_components.hpp>
#include <weft/graph/topological_order.hpp>
#include <weft/graph/transforms.hpp>
#include <weft/graph/two_hop.hpp>
