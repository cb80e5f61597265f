// SPDX-License-Identifier: MIT
#pragma once

/// All of weft but the factorisations of matrices, which cost the compiler more than the rest of a floor: they are in
/// weft/linalg.hpp.

#include <weft/core.hpp>
#include <weft/fwd.hpp>
#include <weft/gnn.hpp>
#include <weft/grad.hpp>
#include <weft/graph.hpp>
#include <weft/io.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/nn.hpp>
#include <weft/version.hpp>
