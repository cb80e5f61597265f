#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: so3_cost.sh <compiler> <file of flags>
# CPU time of compiling equivariant convolutions at -O2: in float, with their gradients, and the same of Dual numbers.
# As ratios to the time of including the dependencies, so that the machine's speed cancels; in seconds beside 15 s, which
# are to be enough on a machine of today. Paths and degrees are data: degrees 0 to 3 have loops of their own, which all
# of these units instantiate, higher ones share one, so that a program with degrees up to 6 takes as long. The bars are
# what was measured when they were set, and a quarter again for noise.
# Who does not include weft/so3.hpp pays nothing: weft/weft.hpp must not include any of its headers.
set -eu
compiler=$1
flags=$2
repeats=2

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '#include <Eigen/Core>\n#include <xsimd/xsimd.hpp>\n#include <fmt/format.h>\n' >"$folder/dependencies.cpp"
echo '#include <weft/weft.hpp>' >"$folder/weft.cpp"
if "$compiler" "@$flags" -M "$folder/weft.cpp" | grep 'weft/so3/'; then
    echo "weft/weft.hpp includes headers of weft/so3"
    exit 1
fi

forward() { # <T>
    echo "template Tensor<$1, 2> forward(const so3::TensorProduct&, const Graph&, const Tensor<$1, 2>&,"
    echo "                               const Tensor<$1, 2>&, const Tensor<$1, 2>&);"
}
gradient() { # <T>
    echo "template void gradient(const so3::TensorProduct&, const Graph&, const Var<$1, 2>&, const Var<$1, 2>&,"
    echo "                       const Var<$1, 2>&, const Tensor<$1, 2>&);"
}
so3='#include <weft/so3.hpp>
#include <weft/grad/backward.hpp>
using namespace weft;
template <class T>
Tensor<T, 2> forward(const so3::TensorProduct& product, const Graph& g, const Tensor<T, 2>& x, const Tensor<T, 2>& y,
                     const Tensor<T, 2>& w) {
    return so3::convolution(product, g, x, y, w);
}
template <class T>
void gradient(const so3::TensorProduct& product, const Graph& g, const Var<T, 2>& x, const Var<T, 2>& y,
              const Var<T, 2>& w, const Tensor<T, 2>& dz) {
    backward(so3::convolution(product, g, x, y, w), dz);
}'
echo "$so3" >"$folder/include.cpp"
{ echo "$so3"; forward float; } >"$folder/forward.cpp"
{ echo "$so3"; forward float; gradient float; } >"$folder/gradient.cpp"
{ echo "$so3"; forward float; gradient float; forward 'Dual<float>'; gradient 'Dual<float>'; } >"$folder/dual.cpp"

TIMEFORMAT='%U %S'
measure() { # <unit> <flags...>
    unit=$1
    shift
    { time "$compiler" "@$flags" "$@" "$folder/$unit.cpp" 2>"$folder/errors"; } 2>"$folder/time" ||
        { cat "$folder/errors" >&2; exit 1; }
    text=0
    if [ -f "$folder/out.o" ]; then text=$(size "$folder/out.o" | awk 'NR == 2 { print $1 }'); fi
    echo "$unit $(cat "$folder/time") $text"
    rm -f "$folder/out.o"
}
for ((r = 0; r < repeats; ++r)); do
    measure dependencies -fsyntax-only
    for unit in include forward gradient dual; do measure $unit -O2 -c -o "$folder/out.o"; done
done | awk '
    !($1 in least) || $2 + $3 < least[$1] { least[$1] = $2 + $3 }
    { text[$1] = $4 }
    function report(unit, what, bar) {
        ratio = least[unit] / least["dependencies"]
        printf "%s: %.1f s, %.0f kB of code, %.1f times including the dependencies (%.2f s)", what, least[unit],
               text[unit] / 1000, ratio, least["dependencies"]
        printf bar ? ", at most %.1f\n" : "\n", bar
        if (bar && ratio > bar) failed = 1
    }
    END {
        if (!("dual" in least)) exit 1
        report("include", "weft/so3.hpp", 3.5)
        report("forward", "with the convolution", 0)
        report("gradient", "with its gradients", 8.5)
        report("dual", "with both of Dual numbers", 13.5)
        printf "15 s are %s here\n", least["dual"] <= 15 ? "enough" : "not enough"
        exit failed
    }'
