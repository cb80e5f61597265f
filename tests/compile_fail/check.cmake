# SPDX-License-Identifier: MIT
# cmake -DCOMPILER=<compiler> -DFLAGS=<file> -DSOURCE=<file> -P check.cmake
# The source says `// expect: <regex>` and, if it needs any, `// flags: <flags>`.
file(READ ${SOURCE} text)
if(NOT text MATCHES "// expect: ([^\n]+)")
  message(FATAL_ERROR "${SOURCE} has no line `// expect: <regex>`")
endif()
set(expected "${CMAKE_MATCH_1}")
set(more)
if(text MATCHES "// flags: ([^\n]+)")
  separate_arguments(more UNIX_COMMAND "${CMAKE_MATCH_1}")
endif()

# Without optimisation g++ makes macros of AVX-512 intrinsics, which xsimd 8 does not compile with.
execute_process(COMMAND ${COMPILER} @${FLAGS} -O1 ${more} -fsyntax-only ${SOURCE}
                RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(expected STREQUAL "ok")
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "must compile, but:\n${output}")
  endif()
elseif(result EQUAL 0)
  message(FATAL_ERROR "compiles, but must not")
elseif(NOT output MATCHES "error:[^\n]*${expected}")
  message(FATAL_ERROR "no error says `${expected}`:\n${output}")
endif()
