// SPDX-License-Identifier: MIT
#pragma once

/// Products and factorisations of matrices.

#include <weft/linalg/eigh.hpp>
#include <weft/linalg/einsum.hpp>
#include <weft/linalg/lanczos.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/linalg/qr.hpp>
#include <weft/linalg/segment_matmul.hpp>
#include <weft/linalg/solve.hpp>
#include <weft/linalg/svd.hpp>
