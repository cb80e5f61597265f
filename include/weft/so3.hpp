// SPDX-License-Identifier: MIT
#pragma once

/// Functions of directions and their symmetry under rotations, in the conventions of e3nn.

#include <weft/so3/spherical_harmonics.hpp>
#include <weft/so3/spherical_harmonics_alpha_beta.hpp>
