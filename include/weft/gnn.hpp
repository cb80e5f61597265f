// SPDX-License-Identifier: MIT
#pragma once

/// Message-passing layers.

#include <weft/gnn/appnp.hpp>
#include <weft/gnn/batch_norm.hpp>
#include <weft/gnn/cf_conv.hpp>
#include <weft/gnn/cheb_conv.hpp>
#include <weft/gnn/dagnn.hpp>
#include <weft/gnn/dgcn_conv.hpp>
#include <weft/gnn/digcn_conv.hpp>
#include <weft/gnn/dimpa.hpp>
#include <weft/gnn/dir_gnn_conv.hpp>
#include <weft/gnn/edge_conv.hpp>
#include <weft/gnn/gat_conv.hpp>
#include <weft/gnn/gated_graph_conv.hpp>
#include <weft/gnn/gatv2_conv.hpp>
#include <weft/gnn/gcn_conv.hpp>
#include <weft/gnn/gin_conv.hpp>
#include <weft/gnn/graph_conv.hpp>
#include <weft/gnn/graph_norm.hpp>
#include <weft/gnn/hgt_conv.hpp>
#include <weft/gnn/hypergraph_conv.hpp>
#include <weft/gnn/instance_norm.hpp>
#include <weft/gnn/jumping_knowledge.hpp>
#include <weft/gnn/layer_norm.hpp>
#include <weft/gnn/magnet_conv.hpp>
#include <weft/gnn/pair_norm.hpp>
#include <weft/gnn/pna_conv.hpp>
#include <weft/gnn/readout.hpp>
#include <weft/gnn/rgcn_conv.hpp>
#include <weft/gnn/sage_conv.hpp>
#include <weft/gnn/sg_conv.hpp>
#include <weft/gnn/sir_conv.hpp>
#include <weft/gnn/sir_conv_base.hpp>
#include <weft/gnn/top_k_pooling.hpp>
#include <weft/gnn/transformer_conv.hpp>
