#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the example program on the model and the molecule that are part of it: sh mace_potential.sh <program>; with
# WEFT_DATA_DIR also on all of acetylacetone.
. "$(dirname "$0")/program.sh"
check() { # <condition on numbers>
    awk "BEGIN { exit !($1) }" || fail "not so: $1"
}
errors() { # <file>: mean and root of mean square of the errors of energies, and of forces
    awk -v name="$1" '$1 == name { print $3, $4, $7, $8 }' out
}
conserves() { # <meV/atom/ps> <meV/atom>
    grep 'total energy: drift' out |
        awk -v d="$1" -v s="$2" '{ exit !($4 < d && $4 > -d && $7 < s && $7 > 0) }' || fail "energy is not conserved"
}

for command in '' evaluate md relax train time; do
    run $command --help
    grep -q -e '--quiet' out || fail "$command --help does not name the options"
done

# A tour of everything.
run --threads 2
grep -q 'step 2000 of 2000' err || fail "no progress"
[ "$(errors acetylacetone)" = "9.75 11.64 26.90 36.37" ] || fail "errors are $(errors acetylacetone)"
conserves 0.1 1
awk '/hydrogen bond/ { exit !($5 > 0.95 && $5 < 1.15 && $11 > 1.3 && $11 < 1.7) }' out || fail "no hydrogen bond"

# The errors are those of the reference implementation, in either precision; nearly so with tables.
run evaluate --precision double
[ "$(errors acetylacetone)" = "9.75 11.64 26.90 36.37" ] || fail "errors are $(errors acetylacetone)"
run evaluate --tabulated --write predicted.xyz
errors acetylacetone | awk '{ exit !($1 > 9.7 && $1 < 9.8 && $3 > 26.8 && $3 < 27) }' || fail "tables are not exact"
# What was written is what was said, and what was there stays; compared with itself nothing is left.
run evaluate predicted.xyz --tabulated --energy-key MACE_energy --forces-key MACE_forces
[ "$(errors predicted.xyz)" = "0.00 0.00 0.00 0.00" ] || fail "what was written is something else"
run evaluate predicted.xyz --tabulated
[ "$(errors predicted.xyz | cut -c 1-3)" = "9.7" ] || fail "the labels are lost"
run evaluate predicted.xyz --energy-key no --forces-key no
[ "$(errors predicted.xyz)" = "- - - -" ] || fail "errors beside nothing"

# Molecular dynamics conserves energy, on any number of threads the same.
run md --quiet --threads 1 --precision double --trajectory whole.xyz --every 100 --save whole.safetensors --svg md.svg
[ ! -s err ] || fail "--quiet writes on stderr"
conserves 0.1 1
[ "$(grep -c '^15$' whole.xyz)" -eq 21 ] || fail "not 21 frames"
[ "$(grep -c '<polyline' md.svg)" -eq 5 ] || fail "the picture has not five curves"
[ "$(tail -n 1 md.svg)" = "</svg>" ] || fail "the picture has no end"
# Interrupted, it goes on with the same bits; frames behind the checkpoint are not there twice.
run md --quiet --precision double --trajectory part.xyz --every 100 --steps 1250 --save part.safetensors --threads 2
run md --quiet --precision double --trajectory part.xyz --every 100 --steps 150 --resume part.safetensors --skin 1
run md --quiet --precision double --trajectory part.xyz --every 100 --steps 750 --resume part.safetensors \
    --save part.safetensors
cmp part.safetensors whole.safetensors || fail "resumed, the end is another"
cmp part.xyz whole.xyz || fail "resumed, the trajectory is another"
run md --quiet --steps 50 --seed 1 --save other.safetensors
run md --quiet --steps 50 --save same.safetensors
if cmp -s other.safetensors same.safetensors; then fail "the seed changes nothing"; fi

# So does one at constant temperature, which that of the bath becomes.
nvt="md --quiet --ensemble nvt --friction 0.05 --temperature 200"
run $nvt --steps 300 --save whole.safetensors
run $nvt --steps 100 --save part.safetensors
run md --quiet --steps 200 --resume part.safetensors --save part.safetensors
cmp part.safetensors whole.safetensors || fail "nvt: resumed, the end is another"
run $nvt --steps 4000 --tabulated
awk '/temperature/ { exit !($2 > 150 && $2 < 250) }' out || fail "nvt: not at 200 K"

# Relaxed, nothing pulls any more; from the minimum it is no way to it.
run relax --write minimum.xyz
run relax minimum.xyz --quiet
grep -q ': 0 steps of FIRE' out || fail "what was written is no minimum"

# It learns, is saved as MACE has it, and goes on with the same bits.
small="train --quiet --channels 4 --radial 8 --correlation 2 --batch 1 --lr 0.02"
run $small --epochs 60 --save whole.safetensors --write model.safetensors --svg curve.svg
[ "$(grep -c '<polyline' curve.svg)" -eq 3 ] || fail "the picture has not three curves"
forces() { awk -v epoch="$1" '$1 == "epoch" && $2 == epoch { print $11 }' out; }
check "$(forces 60) < $(forces 1) / 2"
run $small --epochs 60 --until 25 --save part.safetensors
run $small --epochs 60 --resume part.safetensors --save part.safetensors --threads 2
cmp part.safetensors whole.safetensors || fail "train: resumed, the end is another"
run evaluate --model model.safetensors
check "$(errors acetylacetone | cut -d ' ' -f 3) < 1000"
run train --quiet --model model.safetensors --epochs 1
grep -q ' 4 channels' out || fail "another model is trained further"
run train --epochs 2 --channels 2 --radial 4 --fraction 0
grep -q '^epoch *2 ' out || fail "train: no progress"

run time --copies 2 --steps 2
[ "$(grep -c 'float\|double' out)" -eq 12 ] || fail "not twelve times"

# Bad input has a reason, and leaves nothing behind.
mkdir bad
cd bad || exit 1
refuse 'missing.safetensors' evaluate --model missing.safetensors
refuse 'precision' evaluate --precision half
refuse 'missing.xyz' md missing.xyz --trajectory t.xyz --save s.safetensors
refuse 'no number 8' relax --number 8 --write r.xyz
printf 'no tensors' >broken.safetensors
refuse 'broken.safetensors' evaluate --model broken.safetensors
refuse 'resume excludes --dt\|dt excludes --resume' md --resume ../part.safetensors --dt 1
refuse 'must be simulation 1' md --resume ../model.safetensors --save s.safetensors
refuse 'largest force' relax --max-steps 3 --write r.xyz
refuse 'missing/t.xyz' md --trajectory missing/t.xyz
refuse 'missing/s.svg' md --svg missing/s.svg
refuse 'is of another run' train --channels 4 --resume ../whole.safetensors --write m.safetensors
refuse 'no structures to learn from' train --fraction 1
refuse 'must be positive' md --dt 0
printf '1\n\nXe 0 0 0\n' >xenon.xyz
refuse 'the atomic number 54' evaluate xenon.xyz --write p.xyz
refuse 'the atomic number 54' md xenon.xyz --trajectory t.xyz
printf '2\n\nH 0 0 0\nH 0 0 0\n' >same.xyz
refuse 'must be at least 1e-6' relax same.xyz --write r.xyz
printf '2\n\nH 0 0 0\n' >short.xyz
refuse 'short.xyz' evaluate short.xyz
printf '1\nenergy=-13\nH 0 0 0\n' >alone.xyz
refuse 'no structures to learn from' train alone.xyz --write m.safetensors
refuse 'skin' evaluate --skin -1
[ "$(ls)" = "alone.xyz
broken.safetensors
err
out
same.xyz
short.xyz
xenon.xyz" ] || fail "left behind: $(ls)"
cd ..

# An atom alone moves nowhere, and is no error.
run evaluate bad/alone.xyz

if [ -f "${WEFT_DATA_DIR:-}/acac/test_MD_300K.xyz" ]; then
    run evaluate --precision double "$WEFT_DATA_DIR/acac/test_MD_300K.xyz" "$WEFT_DATA_DIR/acac/test_MD_600K.xyz"
    [ "$(errors "$WEFT_DATA_DIR/acac/test_MD_300K.xyz")" = "12.31 15.08 32.20 44.46" ] || fail "other errors at 300 K"
    [ "$(errors "$WEFT_DATA_DIR/acac/test_MD_600K.xyz")" = "22.33 31.99 60.21 93.02" ] || fail "other errors at 600 K"
fi
