#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: include_cost.sh <compiler> <file of flags>
# CPU time of including weft, as a ratio to including its dependencies; the minimum of interleaved repeats.
set -eu
compiler=$1
flags=$2
repeats=5

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '#include <Eigen/Core>\n#include <xsimd/xsimd.hpp>\n#include <fmt/format.h>\n' >"$folder/dependencies.cpp"
echo '#include <weft/weft.hpp>' >"$folder/weft.cpp"
echo '#include <weft/fwd.hpp>' >"$folder/fwd.cpp"

TIMEFORMAT='%U %S'
for ((i = 0; i < repeats; ++i)); do
    for unit in dependencies weft fwd; do
        { time "$compiler" "@$flags" -fsyntax-only "$folder/$unit.cpp" 2>"$folder/errors"; } 2>"$folder/time" ||
            { cat "$folder/errors" >&2; exit 1; }
        echo "$unit $(cat "$folder/time")"
    done
done | awk '
    !($1 in least) || $2 + $3 < least[$1] { least[$1] = $2 + $3 }
    function report(unit, bar) {
        ratio = least[unit] / least["dependencies"]
        printf "%s.hpp: %.2f s, %.2f of its dependencies (%.2f s); at most %.2f\n", unit, least[unit], ratio,
               least["dependencies"], bar
        if (ratio > bar) failed = 1
    }
    END {
        if (!("fwd" in least)) exit 1
        report("weft", 1.6)
        report("fwd", 0.1)
        exit failed
    }'
