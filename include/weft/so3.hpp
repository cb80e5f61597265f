// SPDX-License-Identifier: MIT
#pragma once

/// Features that turn as irreps of rotations and reflections do, and the operations that commute with it, as in e3nn.

#include <weft/so3/convolution.hpp>
#include <weft/so3/irreps.hpp>
#include <weft/so3/linear.hpp>
#include <weft/so3/named_products.hpp>
#include <weft/so3/rotation.hpp>
#include <weft/so3/spherical_harmonics.hpp>
#include <weft/so3/spherical_harmonics_alpha_beta.hpp>
#include <weft/so3/tensor_product.hpp>
#include <weft/so3/wigner_3j.hpp>
#include <weft/so3/wigner_d.hpp>
