// SPDX-License-Identifier: MIT
#pragma once

/// Tensors, element-wise expressions, reductions, views, random numbers, threads.

#include <weft/core/bfloat16.hpp>
#include <weft/core/combine.hpp>
#include <weft/core/dual.hpp>
#include <weft/core/edge_type.hpp>
#include <weft/core/error.hpp>
#include <weft/core/evaluate.hpp>
#include <weft/core/format.hpp>
#include <weft/core/half.hpp>
#include <weft/core/moments.hpp>
#include <weft/core/ops.hpp>
#include <weft/core/parallel_for.hpp>
#include <weft/core/random.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/softmax.hpp>
#include <weft/core/standardize.hpp>
#include <weft/core/tensor.hpp>
#include <weft/core/views.hpp>
