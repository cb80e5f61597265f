// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/abi.hpp>

namespace weft::inline WEFT_ABI {

/// Where the axis of the channels is: [N, C, ...], PyTorch's default, or [N, ..., C].
enum class Layout { channels_first, channels_last };

} // namespace weft::inline WEFT_ABI
