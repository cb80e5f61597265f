// SPDX-License-Identifier: MIT
#pragma once

/// All element-wise operations.

#include <weft/core/ops/abs.hpp>
#include <weft/core/ops/add.hpp>
#include <weft/core/ops/assign.hpp>
#include <weft/core/ops/ceil.hpp>
#include <weft/core/ops/clamp.hpp>
#include <weft/core/ops/compare.hpp>
#include <weft/core/ops/cos.hpp>
#include <weft/core/ops/divide.hpp>
#include <weft/core/ops/elu.hpp>
#include <weft/core/ops/erf.hpp>
#include <weft/core/ops/exp.hpp>
#include <weft/core/ops/expm1.hpp>
#include <weft/core/ops/floor.hpp>
#include <weft/core/ops/gelu.hpp>
#include <weft/core/ops/gelu_tanh.hpp>
#include <weft/core/ops/leaky_relu.hpp>
#include <weft/core/ops/log.hpp>
#include <weft/core/ops/log1p.hpp>
#include <weft/core/ops/logical.hpp>
#include <weft/core/ops/maximum.hpp>
#include <weft/core/ops/minimum.hpp>
#include <weft/core/ops/multiply.hpp>
#include <weft/core/ops/multiply_add.hpp>
#include <weft/core/ops/negate.hpp>
#include <weft/core/ops/power.hpp>
#include <weft/core/ops/reciprocal.hpp>
#include <weft/core/ops/reciprocal_sqrt.hpp>
#include <weft/core/ops/relu.hpp>
#include <weft/core/ops/round.hpp>
#include <weft/core/ops/sigmoid.hpp>
#include <weft/core/ops/sign.hpp>
#include <weft/core/ops/silu.hpp>
#include <weft/core/ops/sin.hpp>
#include <weft/core/ops/softplus.hpp>
#include <weft/core/ops/sqrt.hpp>
#include <weft/core/ops/square.hpp>
#include <weft/core/ops/subtract.hpp>
#include <weft/core/ops/tan.hpp>
#include <weft/core/ops/tanh.hpp>
#include <weft/core/ops/where.hpp>
