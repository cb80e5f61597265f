#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: instruction_sets.sh <compiler> <file of flags> [filter [rounds [sources...]]]
# How many times as long the benchmarks of so3 take on one thread with AVX2 (x86-64-v3) as with all that this machine
# has: of both the shortest processor time of some interleaved rounds. The flags are those that configuring writes to
# tests/build/weft.flags in the build folder. With AVX2 a register holds half as many numbers, and there are half as
# many; at most 1.7 is asked. Beside it the ratio of what both can do in multiply-adds alone.
set -eu
compiler=$1
flags=$2
filter=${3:--harmonics_block} # which are not times of one thing
rounds=${4:-5}
bench=$(cd "$(dirname "$0")" && pwd)
if [ $# -gt 4 ]; then shift 4; else set -- "$bench"/so3/*_bench.cpp; fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for source in "$@"; do
    for set in native x86-64-v3; do
        "$compiler" "@$flags" -march=$set -O3 -DNDEBUG -w -I"$bench" "$source" -lbenchmark -lfmt -lpthread \
            -o "$folder/$(basename "$source" .cpp).$set"
    done
done
for ((round = 0; round < rounds; ++round)); do
    for source in "$@"; do
        for set in native x86-64-v3; do
            WEFT_THREADS=1 "$folder/$(basename "$source" .cpp).$set" --benchmark_filter="$filter" \
                --benchmark_min_time=0.05 2>/dev/null | sed "s/^/$set /"
        done
    done
done | awk '
    # set, name, time and unit, processor time and unit, which other programs on this machine do not add to
    NF < 7 || $6 !~ /^[mun]?s$/ { next }
    !(($1, $2) in least) || $5 < least[$1, $2] { least[$1, $2] = $5 }
    !($2 in unit) { unit[$2] = $6; order[++count] = $2 }
    # "GFLOP/s=60.5 of_peak=0.34", of a peak that was measured in the same process
    match($0, /GFLOP\/s=[0-9.]+/) {
        rate = substr($0, RSTART + 8, RLENGTH - 8)
        if (match($0, /of_peak=[0-9.]+/)) {
            found = rate / substr($0, RSTART + 8, RLENGTH - 8)
            if (found > peak[$1]) peak[$1] = found
        }
    }
    END {
        printf "%-55s %12s %12s %6s\n", "entry", "AVX2", "native", "ratio"
        for (i = 1; i <= count; ++i) {
            name = order[i]
            ratio = least["x86-64-v3", name] / least["native", name]
            above = ratio > 1.7 ? "  above 1.7" : ""
            printf "%-55s %9.1f %s %9.1f %s %6.2f%s\n", name, least["x86-64-v3", name], unit[name],
                   least["native", name], unit[name], ratio, above
        }
        if (count == 0) exit 1
        if (peak["native"])
            printf "multiply-adds in registers: %.0f and %.0f GFLOP/s, ratio %.2f\n", peak["x86-64-v3"], peak["native"],
                   peak["native"] / peak["x86-64-v3"]
    }'
