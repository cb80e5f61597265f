// SPDX-License-Identifier: MIT
// flags: -fno-exceptions
// expect: weft reports errors by exceptions
#include <weft/weft.hpp>
