// SPDX-License-Identifier: MIT
// expect: must have one \\{\\} for each argument|not a constant expression|call to consteval function
#include <weft/weft.hpp>

using namespace weft;

Error f() { return error("matmul", "a is {}, b is {}", 1); }
