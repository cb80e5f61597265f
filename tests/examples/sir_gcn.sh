#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the example program on the graphs that it draws: sh sir_gcn.sh <program>; with WEFT_DATA_DIR on Minesweeper, too.
. "$(dirname "$0")/program.sh"
score() { # <network>: its mean score
    awk -v network="$1" '$1 == network { print $3 }' out
}
check() { # <condition on numbers>
    awk "BEGIN { exit !($1) }" || fail "not so: $1"
}

run --help
grep -q 'dictionary_lookup' out || fail "--help does not name the tasks"
run dictionary_lookup --help
grep -q -e '--weight-decay' out || fail "--help of a task does not name the options"

if [ -n "${WEFT_DATA_DIR:-}" ] && [ -d "$WEFT_DATA_DIR/minesweeper" ]; then
    run minesweeper --quiet --epochs 40
    check "$(score sir) >= 0.9"
    check "$(score sir) >= $(score gcn) + 0.01"
fi
unset WEFT_DATA_DIR

# Messages of both ends find the value; the mean of all values says nothing.
run dictionary_lookup --keys 6 --graphs 2000 --epochs 60 --model sir sage gcn
check "$(score sir) >= 0.99"
for network in sage gcn; do
    check "$(score $network) > 1 / 6 - 0.03 && $(score $network) < 1 / 6 + 0.03"
done
[ "$(grep -c '^[a-z]*  seed 0  epoch' err)" -eq 3 ] || fail "no progress of every run"

# So they count edges between labels, as far as so few graphs tell.
run hetero_edge_count --classes 2 --graphs 500 --batch-size 25 --epochs 200 --quiet
[ ! -s err ] || fail "--quiet writes on stderr"
check "$(score sir) < 5"
check "$(score gin) > 15"

# A second run gives the same, on any number of threads; another seed does not.
table() { awk '{ $NF = ""; print }' out; } # without the seconds
small="--graphs 100 --epochs 2 --quiet --model sir gcn sage gatv2 gin"
for task in hetero_edge_count dictionary_lookup; do
    run $task $small --threads 1
    table >one
    [ "$(grep -c '±' one)" -eq 5 ] || fail "not a line for every network"
    run $task $small --threads 2
    table >two
    cmp one two || fail "a second run gives something else"
    run $task $small --seed 1
    table >other
    if cmp -s one other; then fail "the seed changes nothing"; fi
done

# Wrong options, data and files.
echo "not a data set" >text.safetensors
refuse 'subcommand'
refuse 'subcommand' nonsense
refuse 'nonsense' minesweeper --nonsense
refuse 'epochs' hetero_edge_count --epochs 0
refuse 'model' dictionary_lookup --model transformer
refuse 'keys' hetero_edge_count --keys 4
refuse 'graphs' dictionary_lookup --graphs 4
refuse 'dropout' minesweeper --dropout 1.5
refuse 'lr' hetero_edge_count --lr -1
refuse 'lr' hetero_edge_count --graphs 50 --epochs 20 --lr 1e30
refuse 'WEFT_DATA_DIR' minesweeper
refuse 'no such file' minesweeper --data nowhere
refuse 'text.safetensors' minesweeper --data text.safetensors
