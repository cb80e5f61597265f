// SPDX-License-Identifier: MIT
// expect: another rank than the Var it is assigned to
#include <weft/weft.hpp>

using namespace weft;

Var<float, 1> f(const Var<float, 2>& x) { return tanh(x); }
