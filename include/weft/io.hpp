// SPDX-License-Identifier: MIT
#pragma once

/// Files: safetensors, npy and npz, edge lists, Matrix Market, data sets of nodes, of graphs, and heterogeneous ones.

#include <weft/io/any_tensor.hpp>
#include <weft/io/atomic_file.hpp>
#include <weft/io/dtype.hpp>
#include <weft/io/edge_list.hpp>
#include <weft/io/graph_dataset.hpp>
#include <weft/io/hetero_dataset.hpp>
#include <weft/io/karate_club.hpp>
#include <weft/io/mapped_file.hpp>
#include <weft/io/matrix_market.hpp>
#include <weft/io/node_dataset.hpp>
#include <weft/io/npy.hpp>
#include <weft/io/npz.hpp>
#include <weft/io/safetensors.hpp>
