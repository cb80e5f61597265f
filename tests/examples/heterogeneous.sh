#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the example program on the graph that is built in: sh heterogeneous.sh <program>; with WEFT_DATA_DIR on ACM, too.
set -u
program=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

fail() {
    echo "FAILED: $*" >&2
    cat out err >&2
    exit 1
}
run() { # <argument>...: must work
    "$program" "$@" >out 2>err || fail "$*: exit code $?"
}
refuse() { # <part of the message> <argument>...: must fail, with that on stderr
    message=$1
    shift
    "$program" "$@" >out 2>err
    code=$?
    [ $code -eq 2 ] || fail "$*: exit code $code, must be 2"
    grep -q -e "$message" err || fail "$*: no \"$message\" on stderr"
}
accuracy() { # <network>: its mean accuracy, whole percents
    awk -v network="$1" '$1 == network { print int($3) }' out
}

run --help
grep -q -e '--heads' out || fail "--help does not name the options"

if [ -n "${WEFT_DATA_DIR:-}" ] && [ -d "$WEFT_DATA_DIR/acm" ]; then
    run --dataset acm --quiet --seeds 1 --model hgt
    [ "$(accuracy hgt)" -ge 85 ] || fail "ACM: $(accuracy hgt) %"
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
