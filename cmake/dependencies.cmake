# SPDX-License-Identifier: MIT
# Every dependency, found by one function: a target the surrounding project already has, else an installed package,
# else (WEFT_FETCH) a pinned release checked by its hash.
include(FetchContent)

#   weft_dependency(<package> TARGET <target> MINIMUM <version> DEBIAN <Debian package>
#                   URL <release archive> SHA256 <its hash>
#                   INCLUDE <folder> [DEFINITIONS <macro>...]    header-only: the folder to include, no build of its own
#                   | OPTIONS <variable> <value>...)             or: set these, then its own CMakeLists.txt
function(weft_dependency package)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TARGET;MINIMUM;DEBIAN;URL;SHA256;INCLUDE" "DEFINITIONS;OPTIONS")
  if(TARGET ${arg_TARGET})
    return()
  endif()

  find_package(${package} CONFIG QUIET)
  if(TARGET ${arg_TARGET})
    if(${package}_VERSION VERSION_LESS arg_MINIMUM)
      message(FATAL_ERROR "weft needs ${package} >= ${arg_MINIMUM}, but ${${package}_DIR} is ${${package}_VERSION}. "
                          "Install a newer one, or configure with -DCMAKE_DISABLE_FIND_PACKAGE_${package}=ON "
                          "-DWEFT_FETCH=ON to download it.")
    endif()
    # A project that adds weft as a subfolder links its dependencies from outside this folder.
    set_target_properties(${arg_TARGET} PROPERTIES IMPORTED_GLOBAL TRUE)
    return()
  endif()

  if(NOT WEFT_FETCH)
    message(FATAL_ERROR "weft needs ${package} >= ${arg_MINIMUM}, which was not found. On Debian and Ubuntu: "
                        "apt-get install ${arg_DEBIAN}. If it is installed elsewhere, add its prefix to "
                        "CMAKE_PREFIX_PATH. To download what is missing: -DWEFT_FETCH=ON.")
  endif()
  message(STATUS "weft: ${package} is not installed, fetching ${arg_URL}")
  string(TOLOWER ${package} name)
  set(source URL ${arg_URL} URL_HASH SHA256=${arg_SHA256})
  if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.24)
    list(APPEND source DOWNLOAD_EXTRACT_TIMESTAMP TRUE)
  endif()
  if(arg_INCLUDE)
    FetchContent_Declare(${name} ${source} SOURCE_SUBDIR only-the-headers)
    FetchContent_MakeAvailable(${name})
    add_library(${arg_TARGET} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${arg_TARGET} INTERFACE "${${name}_SOURCE_DIR}/${arg_INCLUDE}")
    target_compile_definitions(${arg_TARGET} INTERFACE ${arg_DEFINITIONS})
  else()
    set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
    while(arg_OPTIONS)
      list(POP_FRONT arg_OPTIONS variable value)
      set(${variable} ${value})
    endwhile()
    FetchContent_Declare(${name} ${source})
    FetchContent_MakeAvailable(${name})
    get_target_property(target ${arg_TARGET} ALIASED_TARGET)
    get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    set_target_properties(${target} PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${folders}")
  endif()
endfunction()

weft_dependency(Eigen3 TARGET Eigen3::Eigen MINIMUM 3.4 DEBIAN libeigen3-dev
  URL https://gitlab.com/libeigen/eigen/-/archive/3.4.0/eigen-3.4.0.tar.bz2
  SHA256 b4c198460eba6f28d34894e3a5710998818515104d6e74e5cc331ce31e46e626
  INCLUDE .)
weft_dependency(xsimd TARGET xsimd MINIMUM 8.1 DEBIAN libxsimd-dev
  URL https://github.com/xtensor-stack/xsimd/archive/13.2.0.tar.gz
  SHA256 edd8cd3d548c185adc70321c53c36df41abe64c1fe2c67bc6d93c3ecda82447a
  INCLUDE include)
weft_dependency(fmt TARGET fmt::fmt-header-only MINIMUM 9.1 DEBIAN libfmt-dev
  URL https://github.com/fmtlib/fmt/archive/10.2.1.tar.gz
  SHA256 1250e4cc58bf06ee631567523f48848dc4596133e163f02615c97f78bab6c811
  INCLUDE include DEFINITIONS FMT_HEADER_ONLY=1)
if(WEFT_BUILD_TESTS)
  weft_dependency(Catch2 TARGET Catch2::Catch2 MINIMUM 2.13 DEBIAN catch2
    URL https://github.com/catchorg/Catch2/archive/v3.7.1.tar.gz
    SHA256 c991b247a1a0d7bb9c39aa35faf0fe9e19764213f28ffba3109388e62ee0269c
    OPTIONS CATCH_DEVELOPMENT_BUILD OFF)
endif()
if(WEFT_BUILD_BENCHES)
  weft_dependency(benchmark TARGET benchmark::benchmark MINIMUM 1.7 DEBIAN libbenchmark-dev
    URL https://github.com/google/benchmark/archive/v1.9.1.tar.gz
    SHA256 32131c08ee31eeff2c8968d7e874f3cb648034377dfc32a4c377fa8796d84981
    OPTIONS BENCHMARK_ENABLE_TESTING OFF BENCHMARK_ENABLE_INSTALL OFF)
endif()
if(WEFT_BUILD_EXAMPLES)
  weft_dependency(CLI11 TARGET CLI11::CLI11 MINIMUM 2.1 DEBIAN libcli11-dev
    URL https://github.com/CLIUtils/CLI11/archive/v2.4.2.tar.gz
    SHA256 f2d893a65c3b1324c50d4e682c0cdc021dd0477ae2c048544f39eed6654b699a
    INCLUDE include)
endif()
if(WEFT_BUILD_TESTS OR WEFT_BUILD_BENCHES OR WEFT_BUILD_EXAMPLES)
  weft_dependency(nlohmann_json TARGET nlohmann_json::nlohmann_json MINIMUM 3.11 DEBIAN nlohmann-json3-dev
    URL https://github.com/nlohmann/json/archive/v3.11.3.tar.gz
    SHA256 0d8ef5af7f9794e3263480193c491549b2ba6cc74bb018906202ada498a79406
    INCLUDE include)
endif()

if(WEFT_OPENMP AND NOT TARGET OpenMP::OpenMP_CXX)
  find_package(OpenMP COMPONENTS CXX QUIET)
  if(OpenMP_CXX_FOUND)
    set_target_properties(OpenMP::OpenMP_CXX PROPERTIES IMPORTED_GLOBAL TRUE)
  endif()
endif()
