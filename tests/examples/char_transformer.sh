#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the example program on its sonnets: sh char_transformer.sh <program>; with WEFT_DATA_DIR some steps on
# tinyshakespeare.
. "$(dirname "$0")/program.sh"
loss() { # <step>: its validation loss
    awk -v step="$1" '$1 == "step" && $2 == step { print $5 }' out
}
check() { # <condition on numbers>
    awk "BEGIN { exit !($1) }" || fail "not so: $1"
}

run --help
grep -q 'next character' out || fail "--help does not say what is predicted"

small="--quiet --layers 2 --heads 2 --width 32 --context 24 --batch 4 --lr 0.003 --sample 40"

# It learns more than how often characters are: below 2.9 nats, from the logarithm of their number at first.
run --layers 2 --heads 2 --width 32 --context 24 --lr 0.01 --steps 300 --evaluate 150 --sample 60 --plot curve.svg
check "$(loss 0) > 3.8"
check "$(loss 300) < 2.6"
grep -q 'step *300 of 300' err || fail "no progress"
grep -q '<polyline' curve.svg || fail "no learning curve"

# Interrupted, written, read in a new process, it goes on with the same bits: parameters, moments, losses, samples.
run $small --steps 40 --evaluate 10 --save whole.safetensors
step40=$(loss 40)
[ ! -s err ] || fail "--quiet writes on stderr"
run $small --steps 40 --until 17 --evaluate 10 --save part.safetensors --threads 1
run $small --steps 40 --evaluate 10 --resume part.safetensors --save part.safetensors --threads 2
[ "$step40" = "$(loss 40)" ] || fail "resumed, the loss is $(loss 40) and not $step40"
cmp part.safetensors whole.safetensors || fail "resumed, the checkpoint differs"
sample() { awk 'sampled { print } / ms a step/ { sampled = 1 }' out; }
resumed=$(sample)
run $small --steps 40 --evaluate 10
[ "$resumed" = "$(sample)" ] || fail "resumed, another text is written"
[ -n "$resumed" ] || fail "nothing is written"
# What the checkpoint says need not be repeated.
run --quiet --sample 40 --evaluate 10 --resume part.safetensors
[ "$step40" = "$(loss 40)" ] || fail "the checkpoint does not say what it is of"
run $small --steps 40 --evaluate 10 --seed 1
[ "$step40" != "$(loss 40)" ] || fail "another seed gives the same"

# A finished checkpoint writes after the prompt.
run --quiet --resume part.safetensors --temperature 0 --sample 20 --prompt 'Love is'
grep -q '^Love is' out || fail "the prompt is not there"

refuse 'heads must divide' --heads 3
refuse 'longer than the context of 5000' --context 5000
refuse 'no character .@.' --prompt '@'
refuse 'prompt is empty' --prompt ''
refuse 'cannot read' --data missing.txt
refuse 'width is 64, the checkpoint has 32' --resume part.safetensors --width 64
refuse 'missing.safetensors' --resume missing.safetensors
printf 'no tensors' >broken.safetensors
refuse 'broken.safetensors' --resume broken.safetensors
awk 'BEGIN { for (i = 0; i < 500; ++i) print "another text" }' >other.txt
refuse 'is of another text' --resume part.safetensors --data other.txt
refuse 'top-p' --top-p 1.5
(unset WEFT_DATA_DIR; refuse 'WEFT_DATA_DIR' --data tinyshakespeare) || exit 1

if [ -f "${WEFT_DATA_DIR:-}/tinyshakespeare/input.txt" ]; then
    run --quiet --data tinyshakespeare --steps 60 --evaluate 60 --sample 0
    check "$(loss 60) < 3"
fi
