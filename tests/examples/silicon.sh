#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the example program: sh silicon.sh <program>.
. "$(dirname "$0")/program.sh"

run --help
grep -q 'Stillinger' out || fail "--help does not name the potential"

# Errors of forces, in the order of the table.
force_error() { awk -v name="$1" 'index($0, name) == 1 && NF >= 5 && $NF + 0 == $NF { print $(NF - 1) }' out; }
run --quiet --train 60 --test 20 --epochs 12 --batch 5 --svg forces.svg
[ ! -s err ] || fail "--quiet writes on stderr"
for products in Clebsch-Gordan Gaunt; do
    awk -v of="$(force_error $products)" -v pairs="$(force_error pairs)" 'BEGIN { exit !(of > 0 && of < pairs / 2) }' ||
        fail "$products: $(force_error $products) meV/Å are not half of the $(force_error pairs) of pairs"
done
[ "$(grep -c '<circle' forces.svg)" -gt 1000 ] || fail "the picture has no points"

# The same on any number of threads; another seed gives other clusters.
results() { awk '/meV|pairs|Clebsch|Gaunt/ && !/time/ { if ($NF + 0 == $NF) $NF = ""; print }' out; }
small="--quiet --train 4 --test 2 --epochs 2 --batch 2"
run $small --threads 1
first=$(results)
run $small --threads 2
[ "$first" = "$(results)" ] || fail "two threads give other results"
run $small --seed 5
[ "$first" != "$(results)" ] || fail "another seed gives the same"

run --train 2 --test 1 --epochs 1
grep -q 'Gaunt: epoch' err || fail "no progress"

refuse epochs --epochs 0
refuse 'cannot write' $small --svg missing/forces.svg
