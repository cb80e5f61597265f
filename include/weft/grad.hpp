// SPDX-License-Identifier: MIT
#pragma once

/// Gradients: Var and Parameter record, backward() differentiates, checkpoint() saves memory, expect_grad() checks.

#include <weft/grad/backward.hpp>
#include <weft/grad/checkpoint.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/grad/var.hpp>
