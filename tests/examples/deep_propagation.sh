#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the example program on the graph that is built in: sh deep_propagation.sh <program>; with WEFT_DATA_DIR on Cora,
# too.
. "$(dirname "$0")/program.sh"
row() { # <network> <number> <column after the parameters>
    awk -v network="$1," -v number="$2" -v column="$3" '$1 == network && $2 == number { print $(4 + column) }' out
}
check() { # <condition on numbers>
    awk "BEGIN { exit !($1) }" || fail "not so: $1"
}

run --help
grep -q -e '--hops' out || fail "--help does not name the options"

if [ -n "${WEFT_DATA_DIR:-}" ] && [ -d "$WEFT_DATA_DIR/cora" ]; then
    run --dataset cora --quiet --seeds 1 --layers 2 10 --hops 10
    check "$(row GCN 2 1) >= 80"
    check "$(row GCN 10 1) <= 75"
    check "$(row DAGNN 10 1) >= 82"
    check "$(row DAGNN 10 4) > $(row GCN 10 4)"
fi
unset WEFT_DATA_DIR

run --seeds 2 --layers 1 2 10 --hops 0 10
[ "$(grep -c '±' out)" -eq 5 ] || fail "not a line for every network"
[ "$(grep -c '^DAGNN, 10 hops  seed 1 ' err)" -eq 10 ] || fail "not a line for every tenth of a run"
check "$(row GCN 2 1) >= 90"
check "$(row DAGNN 10 1) >= 90"
check "$(row GCN 10 4) < $(row DAGNN 10 4)"

# A second run gives the same, on any number of threads; another seed does not.
table() { awk '{ $NF = ""; print }' out; } # without the milliseconds
small="--epochs 5 --seeds 2 --hidden 8 --quiet"
run $small --threads 1
[ ! -s err ] || fail "--quiet writes on stderr"
table >one
run $small --threads 2
table >two
cmp one two || fail "a second run gives something else"
run $small --seed 1
table >other
if cmp -s one other; then fail "the seed changes nothing"; fi

# Wrong options, data and files.
echo "not a data set" >text.safetensors
refuse 'nonsense' --nonsense
refuse 'layers' --layers 0
refuse 'hops' --hops -1
refuse 'hops' --hops many
refuse 'hidden' --hidden 0
refuse 'seeds' --seeds 0
refuse 'lr' --lr -1
refuse 'lr' --lr 1e30
refuse 'split' --split 1
refuse 'dataset' --data text.safetensors --dataset karate
refuse 'no such file' --data nowhere
refuse 'text.safetensors' --data text.safetensors
refuse 'WEFT_DATA_DIR' --dataset cora
