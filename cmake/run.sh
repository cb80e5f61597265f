#!/bin/sh
# SPDX-License-Identifier: MIT
# From a clean checkout to a result in one command:
#   sh cmake/run.sh demo                                build and run examples/node_classification and mace_potential
#   sh cmake/run.sh demo [arguments of the program]     the first of them alone
#   sh cmake/run.sh test [arguments of ctest]           build and run the tests
#   sh cmake/run.sh bench [arguments of weft-bench]     build and run the benchmarks, write build/release/report.html
#   sh cmake/run.sh asan|tsan|clang|dev [arguments of ctest]    the tests in another build
#   sh cmake/run.sh fuzz [seconds [name...]]            the fuzzers, each for some seconds (20); 3600 for an hour each
#   sh cmake/run.sh sse2|avx2|avx512|neon [arguments of ctest]  the tests for one instruction set; neon is emulated
# Where there is apt (Debian, Ubuntu), it installs the packages that are missing; elsewhere, and with WEFT_NO_INSTALL=1,
# CMake uses what is installed and downloads the rest. WEFT_CMAKE_OPTIONS is passed to cmake (-DWEFT_WERROR=ON).
set -eu
cd "$(dirname "$0")/.."

if [ $# -eq 0 ]; then
    sed -n 's/^#   //p' "$0"
    exit 2
fi
command=$1
shift
case $command in
    demo | test | bench) build=release ;;
    fuzz) build=asan ;;
    asan | tsan | clang | dev | sse2 | avx2 | avx512 | neon) build=$command ;;
    *) echo "run.sh: unknown command $command" >&2; exit 2 ;;
esac

# Packages of the tools and libraries that are not there.
missing=
need_tool() { # <Debian package> <any of these programs>...
    package=$1
    shift
    for tool in "$@"; do
        if command -v "$tool" >/dev/null; then return; fi
    done
    missing="$missing $package"
}
need_libraries() { # <Debian package>...
    command -v apt-get >/dev/null || return 0
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=none
        if [ "$status" != installed ]; then missing="$missing $package"; fi
    done
}
need_tool cmake cmake
need_tool ninja-build ninja make
need_tool g++ "${CXX:-c++}" c++ g++ clang++
need_libraries libeigen3-dev libxsimd-dev libfmt-dev catch2 libbenchmark-dev libcli11-dev nlohmann-json3-dev
case $command in
    asan | clang | fuzz | tsan)
        need_tool clang clang++
        need_libraries libomp-dev libclang-rt-dev ;;
    bench | test) need_tool python3 python3 ;;
    neon)
        need_tool g++-aarch64-linux-gnu aarch64-linux-gnu-g++
        need_tool qemu-user qemu-aarch64 ;;
esac

if [ -n "$missing" ] && [ -z "${WEFT_NO_INSTALL:-}" ] && command -v apt-get >/dev/null; then
    root=
    if [ "$(id -u)" -ne 0 ]; then root=sudo; fi
    if [ -n "$root" ] && ! command -v sudo >/dev/null; then
        echo "run.sh: neither root nor sudo; to be installed by hand:$missing" >&2
    else
        echo "run.sh: installing$missing"
        $root apt-get update -q
        # shellcheck disable=SC2086
        $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
    fi
fi

# Ninja if it is there; a build folder keeps the generator it was made with.
if [ ! -e "build/$build/CMakeCache.txt" ] && command -v ninja >/dev/null; then
    export CMAKE_GENERATOR=Ninja
fi
processors=$(getconf _NPROCESSORS_ONLN)
export CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-$processors}"
export CTEST_PARALLEL_LEVEL="${CTEST_PARALLEL_LEVEL:-$processors}"

# shellcheck disable=SC2086
cmake --preset "$build" ${WEFT_CMAKE_OPTIONS:-}
cmake --build --preset "$command"
case $command in
    demo)
        "build/$build/examples/node_classification" "$@"
        if [ $# -eq 0 ]; then
            echo
            "build/$build/examples/mace_potential"
        fi ;;
    fuzz) bash cmake/fuzz.sh "$@" ;;
    bench) sh bench/weft-bench --build "build/$build" "$@" ;;
    # Budgets of compile time belong to a quiet machine: ctest --preset test -L budget
    test | dev) ctest --preset "$command" -LE budget "$@" ;;
    *) ctest --preset "$command" "$@" ;;
esac
