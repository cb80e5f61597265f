// SPDX-License-Identifier: MIT
#pragma once

/// Message-passing layers, and positional encodings.

#include <weft/gnn/appnp.hpp>
#include <weft/gnn/batch_norm.hpp>
#include <weft/gnn/cheb_conv.hpp>
#include <weft/gnn/dir_gnn_conv.hpp>
#include <weft/gnn/gat_conv.hpp>
#include <weft/gnn/gated_graph_conv.hpp>
#include <weft/gnn/gatv2_conv.hpp>
#include <weft/gnn/gcn_conv.hpp>
#include <weft/gnn/gin_conv.hpp>
#include <weft/gnn/graph_conv.hpp>
#include <weft/gnn/graph_norm.hpp>
#include <weft/gnn/instance_norm.hpp>
#include <weft/gnn/jumping_knowledge.hpp>
#include <weft/gnn/laplacian_encoding.hpp>
#include <weft/gnn/layer_norm.hpp>
#include <weft/gnn/magnet_conv.hpp>
#include <weft/gnn/magnetic_encoding.hpp>
#include <weft/gnn/pair_norm.hpp>
#include <weft/gnn/random_walk_encoding.hpp>
#include <weft/gnn/readout.hpp>
#include <weft/gnn/sage_conv.hpp>
#include <weft/gnn/sg_conv.hpp>
#include <weft/gnn/svd_encoding.hpp>
#include <weft/gnn/top_k_pooling.hpp>
#include <weft/gnn/transformer_conv.hpp>
