#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: tests/accuracy/table.sh [--neon] [options of accuracy_table, as --exhaustive]
# Measures the accuracy of functions and sums for each x86-64 instruction set that this machine has, and with --neon for
# aarch64 by qemu (a cross compiler makes the program; a smaller sample), and writes docs/accuracy.md. Fails, and leaves
# the file as it was, if what is promised is exceeded. Compilers: CXX (g++), AARCH64_CXX (aarch64-linux-gnu-g++).
set -eu
cd "$(dirname "$0")/../.."
neon=0
options=()
for option in "$@"; do
    if [ "$option" = --neon ]; then neon=1; else options+=("$option"); fi
done
folder=build/accuracy
eigen=${EIGEN_INCLUDE:-/usr/include/eigen3}
mkdir -p "$folder/libraries"
common=(-std=c++20 -O2 -fopenmp -DFMT_HEADER_ONLY -Iinclude -Itests -isystem "$eigen" tests/accuracy/accuracy_table.cpp)
tables=()

for set in x86-64 x86-64-v3 x86-64-v4; do
    case "$set" in
    x86-64) needs=sse2 ;;
    x86-64-v3) needs=avx2 ;;
    x86-64-v4) needs=avx512dq ;;
    esac
    if ! grep -qw "$needs" /proc/cpuinfo; then
        echo "no $set: this machine cannot run it"
        continue
    fi
    echo "$set"
    "${CXX:-g++}" "${common[@]}" "-march=$set" -o "$folder/$set"
    "$folder/$set" ${options[@]+"${options[@]}"} > "$folder/$set.md" || { grep EXCEEDED "$folder/$set.md"; exit 1; }
    tables+=("$folder/$set.md")
done

if [ "$neon" = 1 ]; then
    echo aarch64
    for library in xsimd fmt; do ln -sfn "${LIBRARY_INCLUDE:-/usr/include}/$library" "$folder/libraries/$library"; done
    "${AARCH64_CXX:-aarch64-linux-gnu-g++}" "${common[@]}" -Wno-psabi -isystem "$folder/libraries" -o "$folder/aarch64"
    qemu-aarch64 -L /usr/aarch64-linux-gnu "$folder/aarch64" --step 65537 --thin 16 > "$folder/aarch64.md" ||
        { grep EXCEEDED "$folder/aarch64.md"; exit 1; }
    tables+=("$folder/aarch64.md")
fi

python3 tests/accuracy/join.py "${tables[@]}" > "$folder/accuracy.md"
mkdir -p docs
mv "$folder/accuracy.md" docs/accuracy.md
echo "wrote docs/accuracy.md"
