#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the example program: sh tetris.sh <program>.
. "$(dirname "$0")/program.sh"

run --help
grep -q 'pseudo-scalar' out || fail "--help does not name the pseudo-scalar"

for seed in 0 1 2; do
    run --quiet --seed $seed
    grep -q '^8 of 8 shapes' out || fail "seed $seed: not all shapes are recognised in every orientation"
done
[ ! -s err ] || fail "--quiet writes on stderr"

# A network without pseudo-scalars cannot tell mirror images apart.
run --quiet --without-pseudo-scalars
grep -q '^7 of 8 shapes' out || fail "without pseudo-scalars it is not 7 of 8"

# The same on any number of threads; another seed gives another network.
results() { sed 's/in [0-9.]* s on/on/' out; }
run --quiet --steps 20 --threads 1
first=$(results)
run --quiet --steps 20 --threads 2
[ "$first" = "$(results)" ] || fail "two threads give other results"
run --quiet --steps 20 --seed 5
[ "$first" != "$(results)" ] || fail "another seed gives the same"

run --steps 3
[ "$(grep -c 'step' err)" -ge 1 ] || fail "no progress"

refuse copies --copies 0
