#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the example program on the digits that it draws: sh norm_act.sh <program>; with WEFT_DATA_DIR on handwritten ones.
. "$(dirname "$0")/program.sh"
score() { # <layer> <column>: its mean accuracy
    awk -v layer="$1" -v column="$2" '$1 == layer { print $column }' out
}
check() { # <condition on numbers>
    awk "BEGIN { exit !($1) }" || fail "not so: $1"
}

run --help
grep -q 'evonorm-s0' out || fail "--help does not name the layers"

if [ -n "${WEFT_DATA_DIR:-}" ] && [ -d "$WEFT_DATA_DIR/digits" ]; then
    run --quiet --network res --layer affine gn-relu evonorm-s0 evonorm-b0 --seeds 2
    check "$(score affine 2) < 40 || $(score affine 2) != $(score affine 2)"
    check "$(score evonorm-s0 2) > $(score gn-relu 2) + 2"
    check "$(score evonorm-b0 2) > 88"
fi
unset WEFT_DATA_DIR

run --network res mob --layer bn-relu evonorm-s0 --seeds 1 --steps 60
for layer in bn-relu evonorm-s0; do
    check "$(score $layer 2) > 60"
    check "$(score $layer 5) > 40"
done
[ "$(grep -c 'step 60' err)" -eq 4 ] || fail "no progress of every run"

# A second run gives the same, on any number of threads; another seed does not.
table() { awk '{ $NF = ""; $(NF - 1) = ""; print }' out; } # without the seconds and the memory of threads
small="--network eff --layer evonorm-b0 --seeds 1 --steps 3 --quiet"
run $small --threads 1
first=$(table)
[ ! -s err ] || fail "--quiet writes on stderr"
run $small --threads 2
[ "$first" = "$(table)" ] || fail "two threads give other results"
run $small --channels-first
run $small --seed 1
[ "$first" != "$(table)" ] || fail "another seed gives the same"

refuse batchnorm --layer batchnorm
mkdir -p data
printf 'no tensors' >data/digits.safetensors
refuse digits.safetensors --data data
