#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the example program on the graph that is built in: sh heterogeneous.sh <program>; with WEFT_DATA_DIR on ACM, too.
. "$(dirname "$0")/program.sh"
accuracy() { # <network>: its mean accuracy, whole percents
    awk -v network="$1" '$1 == network { print int($3) }' out
}

run --help
grep -q -e '--heads' out || fail "--help does not name the options"

if [ -n "${WEFT_DATA_DIR:-}" ] && [ -d "$WEFT_DATA_DIR/acm" ]; then
    run --dataset acm --quiet --seeds 1 --model rgcn
    [ "$(accuracy rgcn)" -ge 85 ] || fail "ACM: $(accuracy rgcn) %"
fi
unset WEFT_DATA_DIR

# A book's own features tell little, its authors a lot.
run --seeds 2
[ "$(accuracy mlp)" -le 55 ] || fail "a perceptron: $(accuracy mlp) %"
[ "$(accuracy rgcn)" -ge 75 ] || fail "RGCN: $(accuracy rgcn) %"
[ "$(accuracy hgt)" -ge 75 ] || fail "HGT: $(accuracy hgt) %"
[ "$(grep -c '^hgt  seed' err)" -eq 2 ] || fail "no progress of every run"

# A second run gives the same, on any number of threads.
table() { awk '{ $NF = ""; print }' out; } # without the seconds
run --epochs 3 --quiet --threads 1
table >one
[ ! -s err ] || fail "--quiet writes on stderr"
run --epochs 3 --quiet --threads 2
table >two
cmp one two || fail "a second run gives something else"

echo "not a data set" >text.safetensors
refuse 'epochs' --epochs 0
refuse 'model' --model nonsense
refuse 'heads is 3' --heads 3 --model hgt
refuse 'dropout' --dropout 1.5
refuse 'nowhere' --data nowhere
refuse 'text.safetensors' --data text.safetensors
refuse 'WEFT_DATA_DIR' --dataset acm
