// SPDX-License-Identifier: MIT
#include "load.hpp"

template std::unique_ptr<mace_potential::AnyPotential> mace_potential::load<float>(const ModelOptions&);
