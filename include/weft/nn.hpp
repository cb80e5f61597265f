// SPDX-License-Identifier: MIT
#pragma once

/// Modules, layers, losses and optimisers.

#include <weft/nn/activation.hpp>
#include <weft/nn/adam.hpp>
#include <weft/nn/batch_norm.hpp>
#include <weft/nn/conv2d.hpp>
#include <weft/nn/convolution.hpp>
#include <weft/nn/dropout.hpp>
#include <weft/nn/embedding.hpp>
#include <weft/nn/evo_norm_b.hpp>
#include <weft/nn/evo_norm_s.hpp>
#include <weft/nn/exponential_moving_average.hpp>
#include <weft/nn/filter_response_norm.hpp>
#include <weft/nn/gated_linear_unit.hpp>
#include <weft/nn/group_norm.hpp>
#include <weft/nn/gru_cell.hpp>
#include <weft/nn/init.hpp>
#include <weft/nn/instance_norm.hpp>
#include <weft/nn/layer_norm.hpp>
#include <weft/nn/linear.hpp>
#include <weft/nn/loss.hpp>
#include <weft/nn/lstm.hpp>
#include <weft/nn/mlp.hpp>
#include <weft/nn/module.hpp>
#include <weft/nn/optimizer.hpp>
#include <weft/nn/pooling.hpp>
#include <weft/nn/prelu.hpp>
#include <weft/nn/reduce_lr_on_plateau.hpp>
#include <weft/nn/rms_norm.hpp>
#include <weft/nn/roc_auc.hpp>
#include <weft/nn/scale_norm.hpp>
#include <weft/nn/schedule.hpp>
#include <weft/nn/sequential.hpp>
#include <weft/nn/sgd.hpp>
#include <weft/nn/state_dict.hpp>
#include <weft/nn/window.hpp>
