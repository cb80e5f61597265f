# SPDX-License-Identifier: MIT
# Conveniences for people who work on weft itself; a project that uses weft never reads this file.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_EXTENSIONS OFF)
# weft has no C++ modules; looking for them would preprocess every file twice.
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

# weft/weft.hpp as one file, see cmake/amalgamate.py for others.
find_package(Python3 COMPONENTS Interpreter QUIET)
if(Python3_FOUND)
  set(WEFT_SINGLE_HEADER ${PROJECT_BINARY_DIR}/single/weft_single.hpp)
  add_custom_target(single_header
                    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/cmake/amalgamate.py --output ${WEFT_SINGLE_HEADER}
                    VERBATIM)
endif()
