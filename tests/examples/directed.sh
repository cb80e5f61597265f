#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the example program on the graph that is built in: sh directed.sh <program>
. "$(dirname "$0")/program.sh"
unset WEFT_DATA_DIR
accuracy() { # <features> <network>: the mean, without its fraction
    awk -v f="$1" -v n="$2" '$1 == f && $2 == n { print int($4) }' out
}

run --help
grep -q -e '--weight-decay' out || fail "--help does not name the options"

# Only directions know the classes: what does not see them guesses one of three.
run --quiet --splits 3
[ ! -s err ] || fail "--quiet writes on stderr"
for network in mlp gcn; do
    [ "$(accuracy laplacian $network)" -le 42 ] || fail "$network without directions is right too often"
done
for network in mlp dir_gcn magnet; do
    [ "$(accuracy magnetic $network)" -ge 95 ] || fail "$network with directions is wrong too often"
done
grep -q '^ undirected, two  *3[1-5]\.' out || fail "the graph without directions says something about the classes"

# Progress without a terminal, and the same numbers from another number of threads.
run --splits 1 --epochs 50 --model gcn_in gcn_out
[ "$(grep -c 'epoch 50/50' err)" -eq 4 ] || fail "not a line of progress for every run of 50 epochs"
sed 's/[0-9.]*$//' out >one
run --splits 1 --epochs 50 --model gcn_in gcn_out --threads 1 --quiet
sed 's/[0-9.]*$//' out >two
cmp one two || fail "the results depend on the number of threads"

# Wrong options, data and files.
echo "not a data set" >text.safetensors
refuse 'model' --model transformer
refuse 'epochs' --epochs 0
refuse 'dropout' --dropout 1.5
refuse 'alpha' --alpha -1
refuse 'q' --q 0.6
refuse 'nonsense' --nonsense
refuse 'dataset' --data text.safetensors --dataset texas
refuse 'no such file' --data nowhere
refuse 'text.safetensors' --data text.safetensors
refuse 'WEFT_DATA_DIR' --dataset texas
refuse 'lr' --lr -1
