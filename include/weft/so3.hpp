// SPDX-License-Identifier: MIT
#pragma once

/// Features that turn as irreps of rotations and reflections do, and the operations that commute with it, as in e3nn.

#include <weft/so3/activation.hpp>
#include <weft/so3/batch_norm.hpp>
#include <weft/so3/components.hpp>
#include <weft/so3/convolution.hpp>
#include <weft/so3/coupling_basis.hpp>
#include <weft/so3/dropout.hpp>
#include <weft/so3/feature_product.hpp>
#include <weft/so3/fully_connected_net.hpp>
#include <weft/so3/function.hpp>
#include <weft/so3/gate.hpp>
#include <weft/so3/gaunt_convolution.hpp>
#include <weft/so3/gaunt_many_body.hpp>
#include <weft/so3/gaunt_tensor_product.hpp>
#include <weft/so3/irreps.hpp>
#include <weft/so3/layer_norm.hpp>
#include <weft/so3/layout.hpp>
#include <weft/so3/linear.hpp>
#include <weft/so3/matrix_tensor_product.hpp>
#include <weft/so3/named_products.hpp>
#include <weft/so3/norm.hpp>
#include <weft/so3/norm_activation.hpp>
#include <weft/so3/normalize2mom.hpp>
#include <weft/so3/radial.hpp>
#include <weft/so3/radial_table.hpp>
#include <weft/so3/reduced_tensor_products.hpp>
#include <weft/so3/rotation.hpp>
#include <weft/so3/sphere_grid.hpp>
#include <weft/so3/spherical_harmonics.hpp>
#include <weft/so3/spherical_harmonics_alpha_beta.hpp>
#include <weft/so3/symmetric_contraction.hpp>
#include <weft/so3/tensor_product.hpp>
#include <weft/so3/vector_signal_tensor_product.hpp>
#include <weft/so3/weighted_tensor_product.hpp>
#include <weft/so3/wigner_3j.hpp>
#include <weft/so3/wigner_d.hpp>
