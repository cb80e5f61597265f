#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the example program: sh tensor_products.sh <program>.
. "$(dirname "$0")/program.sh"

run --help
grep -q 'rotations only' out || fail "--help does not say what the products are"

run --quiet --lmax 3 --rows 64 --seconds 0 --svg chart.svg
[ ! -s err ] || fail "--quiet writes on stderr"
# Paths and expressivity of L = 3, as counted by Xie et al.
counts() { awk -v l=3 -v name="$1" 'index($0, name) == 1 && substr($0, 23, 3) + 0 == l { print substr($0, 26) }' out |
    awk '{ print $3, $4 }'; }
for product in 'clebsch-gordan ' clebsch-gordan-dense; do
    [ "$(counts "$product")" = "44 44" ] || fail "$product: $(counts "$product")"
done
for product in gaunt-list gaunt-circles gaunt-grid gaunt-fourier grid-matrices; do
    [ "$(counts $product)" = "30 13" ] || fail "$product: $(counts $product)"
done
[ "$(counts 'matrix ')" = "44 13" ] || fail "matrix: $(counts 'matrix ')"
[ "$(grep -c '<polyline' chart.svg)" -eq 11 ] || fail "the picture does not have eleven lines"

refuse lmax --lmax 0
refuse 'cannot write' --lmax 1 --rows 16 --seconds 0 --svg missing/chart.svg
