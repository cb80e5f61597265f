#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the example program on the graphs that are built in: sh graph_classification.sh <program>; with WEFT_DATA_DIR on
# MUTAG, too.
. "$(dirname "$0")/program.sh"
last_mean() { # prints the mean accuracy of the last epoch, whole percents
    sed -n 's/^mean of the last epoch, \([0-9]*\).*/\1/p' out
}

run --help
grep -q -e '--batch-size' out || fail "--help does not name the options"

if [ -n "${WEFT_DATA_DIR:-}" ] && [ -d "$WEFT_DATA_DIR/mutag" ]; then
    run --dataset mutag --quiet
    [ "$(last_mean)" -ge 84 ] || fail "MUTAG: $(last_mean) % on average"
fi
unset WEFT_DATA_DIR

# Trees are told from other graphs.
run --epochs 40 --predict trees.csv
[ "$(last_mean)" -ge 97 ] || fail "trees: $(last_mean) % on average"
[ "$(grep -c '^ *[0-9]  ' out)" -eq 10 ] || fail "not a line for every fold"
[ "$(grep -c '^fold ' err)" -eq 10 ] || fail "no progress of every fold"
[ "$(wc -l <trees.csv)" -eq 201 ] || fail "not a line for every graph"
[ "$(tail -n +2 trees.csv | cut -d, -f1 | sort -n | uniq | wc -l)" -eq 200 ] || fail "a graph is predicted twice"

# A second run gives the same, on any number of threads; another seed does not.
run --epochs 3 --fold 4 --threads 1 --quiet --predict one.csv
[ ! -s err ] || fail "--quiet writes on stderr"
[ "$(wc -l <one.csv)" -eq 21 ] || fail "--fold: not a line for every graph of the fold"
run --epochs 3 --fold 4 --threads 2 --quiet --predict two.csv
cmp one.csv two.csv || fail "a second run predicts something else"
run --epochs 3 --fold 4 --seed 1 --quiet --predict other.csv
if cmp -s one.csv other.csv; then fail "the seed changes nothing"; fi

# Wrong options, data and files.
echo "not a data set" >text.safetensors
mkdir empty
refuse 'epochs' --epochs 0
refuse 'layers' --layers many
refuse 'dropout' --dropout 1.5
refuse 'nonsense' --nonsense
refuse 'fold is 10' --fold 10
refuse 'no such file' --data nowhere
refuse '0 safetensors files' --data empty
refuse 'text.safetensors' --data text.safetensors
refuse 'WEFT_DATA_DIR' --dataset mutag
refuse 'nowhere' --epochs 1 --predict nowhere/trees.csv
refuse 'lr' --lr 1e30
[ -z "$(find . -name '*.tmp')" ] || fail "temporary files were left"
