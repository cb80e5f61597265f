// SPDX-License-Identifier: MIT
#pragma once

// nlohmann's parser to compare with, where it is installed.
#if __has_include(<nlohmann/json.hpp>)
#include <nlohmann/json.hpp>
#define HAVE_OTHER_PARSER 1
#else
#define HAVE_OTHER_PARSER 0
#endif
