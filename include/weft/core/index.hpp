// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/abi.hpp>

#include <cstddef>

namespace weft::inline WEFT_ABI {

/// Every count, extent, offset and position in weft. Signed, so that differences are what they say.
using index = std::ptrdiff_t;

} // namespace weft::inline WEFT_ABI
