# SPDX-License-Identifier: MIT
# What weft's own programs (tests, benchmarks, examples, fuzzers) have in common.

function(weft_setup_target target)
  target_link_libraries(${target} PRIVATE weft::weft)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
  # g++ 12 takes the undefined registers of its own AVX-512 intrinsics for uninitialised variables.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  # clang warns of what std::stable_sort of libstdc++ 12 calls.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 15)
    target_compile_options(${target} PRIVATE -Wno-deprecated-declarations)
  endif()
  # g++ for 64-bit ARM notes for every type of an expression that GCC 10 changed how it is passed to functions.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
    target_compile_options(${target} PRIVATE -Wno-psabi)
  endif()
  if(WEFT_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(WEFT_ARCHITECTURE)
    target_compile_options(${target} PRIVATE -march=${WEFT_ARCHITECTURE})
  endif()
endfunction()
