#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: expression_cost.sh <compiler> <file of flags>
# CPU time that one more distinct expression, four operations deep, adds to a compilation at -O2, in per cent of the time
# of including the dependencies (Eigen/Core, xsimd, fmt), so that the machine's speed cancels. Shown beside the first
# prototypes of these kernels (dense forward 0.8, dense with its backward 2.0, over edges with both sweeps 4.4); the bars
# are what was measured when they were set, and half again for noise.
set -eu
compiler=$1
flags=$2
repeats=2
count=8

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '#include <Eigen/Core>\n#include <xsimd/xsimd.hpp>\n#include <fmt/format.h>\n' >"$folder/dependencies.cpp"

# Distinct expressions: the operations vary with the binary digits of the number.
operation() { # <bit> <if set> <else>
    if [ $(($1 % 2)) -eq 1 ]; then echo "$2"; else echo "$3"; fi
}
generate() { # <unit> <kind>
    {
        echo '#include <weft/weft.hpp>'
        echo 'using namespace weft;'
        # what all expressions share is compiled in either unit
        echo 'void shared(const Graph& g, Var<float, 2>& v, const Tensor<float, 2>& x) {'
        case $2 in
            dense) echo '    Tensor<float, 2> y = x - x; (void)y;' ;;
            recorded) echo '    Var<float, 2> y = v - v; backward(y, x);' ;;
            edge) echo '    Var<float, 2> y = sum_in(g, src(v) - dst(v)); backward(y, x);' ;;
        esac
        echo '    (void)g; (void)v; (void)x; }'
        for ((i = 0; i < $3; ++i)); do
            f=$(operation $i exp tanh)
            o=$(operation $((i / 2)) + '*')
            p=$(operation $((i / 4)) - '*')
            h=$(operation $((i / 8)) sigmoid relu)
            case $2 in
                dense) echo "Tensor<float, 2> f$i(const Tensor<float, 2>& a, const Tensor<float, 2>& b) { return $h($f(a $o b) $p b); }" ;;
                recorded) echo "Var<float, 2> f$i(const Var<float, 2>& a, const Var<float, 2>& b) { return $h($f(a $o b) $p b); }" ;;
                edge) echo "Var<float, 2> f$i(const Graph& g, const Var<float, 2>& a, const Var<float, 2>& b) { return sum_in(g, $h($f(src(a) $o dst(b)) $p src(b))); }" ;;
            esac
        done
    } >"$folder/$1.cpp"
}
for kind in dense recorded edge; do
    generate "$kind" $kind $count
    generate "${kind}_none" $kind 0
done

TIMEFORMAT='%U %S'
measure() { # <unit> <flags...>
    unit=$1
    shift
    { time "$compiler" "@$flags" "$@" "$folder/$unit.cpp" 2>"$folder/errors"; } 2>"$folder/time" ||
        { cat "$folder/errors" >&2; exit 1; }
    echo "$unit $(cat "$folder/time")"
}
for ((r = 0; r < repeats; ++r)); do
    measure dependencies -fsyntax-only
    for kind in dense recorded edge; do
        measure ${kind}_none -O2 -c -o "$folder/out.o"
        measure $kind -O2 -c -o "$folder/out.o"
    done
done | awk -v count=$count '
    !($1 in least) || $2 + $3 < least[$1] { least[$1] = $2 + $3 }
    function report(kind, prototype, bar) {
        each = (least[kind] - least[kind "_none"]) / count
        share = 100 * each / least["dependencies"]
        printf "%s: %.0f ms per expression, %.1f %% of including the dependencies (%.2f s), at most %.1f %%; ", kind,
               1000 * each, share, least["dependencies"], bar
        printf "prototype %.1f %%, ratio %.1f\n", prototype, share / prototype
        if (share > bar) failed = 1
    }
    END {
        if (!("edge" in least)) exit 1
        report("dense", 0.8, 7)
        report("recorded", 2.0, 10)
        report("edge", 4.4, 20)
        exit failed
    }'
