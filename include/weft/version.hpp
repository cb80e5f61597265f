// SPDX-License-Identifier: MIT
#pragma once

// The version of weft; the build system reads it from here.
#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0
