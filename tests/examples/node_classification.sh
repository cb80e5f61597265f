#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the example program on the graph that is built in: sh node_classification.sh <program>
. "$(dirname "$0")/program.sh"
unset WEFT_DATA_DIR

run --help
grep -q -e '--weight-decay' out || fail "--help does not name the options"

# The defaults put every member but at most two on the right side.
run --quiet --predict default.csv
wrong=$(awk -F, 'NR > 1 && $3 != $4' default.csv | wc -l)
[ "$wrong" -le 2 ] || fail "$wrong members on the wrong side"
[ ! -s err ] || fail "--quiet writes on stderr"

for model in gcn sage gat appnp dagnn; do
    run --model $model --epochs 30 --save $model.safetensors --predict $model.csv --svg $model.svg
    [ "$(grep -c '^seed 0 ' err)" -eq 10 ] || fail "$model: not a line for every tenth of the run"
    [ "$(wc -l <$model.csv)" -eq 35 ] || fail "$model: not a line for every member"
    [ "$(tail -n 1 $model.svg)" = "</svg>" ] || fail "$model: the picture has no end"
    [ "$(grep -c '<circle' $model.svg)" -ge 34 ] || fail "$model: the picture lacks members"

    # What was saved predicts the same; so does a second run, on another number of threads.
    run --load $model.safetensors --predict loaded.csv
    cmp $model.csv loaded.csv || fail "$model: the model that was saved predicts something else"
    run --model $model --epochs 30 --threads 2 --quiet --predict again.csv
    cmp $model.csv again.csv || fail "$model: a second run predicts something else"
    run --model $model --epochs 30 --seed 1 --quiet --predict other.csv
    if cmp -s $model.csv other.csv; then fail "$model: the seed changes nothing"; fi
done
grep -q 'conv1.lin.weight' gcn.safetensors || fail "gcn: not the names of PyTorch Geometric"
grep -q 'conv2.lin_l.bias' sage.safetensors || fail "sage: not the names of PyTorch Geometric"
grep -q 'conv1.att_src' gat.safetensors || fail "gat: not the names of PyTorch Geometric"
for model in appnp dagnn; do
    grep -q 'lin1.weight' $model.safetensors || fail "$model: not the names of the reference"
done
grep -q 'prop.proj.bias' dagnn.safetensors || fail "dagnn: not the names of the reference"

# Hops and alpha count, and come from the file.
for options in "dagnn --hops 2" "appnp --hops 2" "appnp --alpha 0.5"; do
    model=${options%% *}
    run --model $options --epochs 30 --quiet --save hops.safetensors --predict hops.csv
    if cmp -s $model.csv hops.csv; then fail "$options changes nothing"; fi
    run --load hops.safetensors --predict loaded.csv
    cmp hops.csv loaded.csv || fail "$options: the model that was saved predicts something else"
done
run --model dagnn --hops 0 --epochs 5 --quiet

run --seeds 3 --epochs 5 --quiet
[ "$(grep -c '^ *[0-2]  ' out)" -eq 3 ] || fail "not a line for every seed"
grep -q '^ *mean ' out || fail "no mean"

# Wrong options, data and files.
echo "not a model" >text.safetensors
mkdir empty
refuse 'model' --model transformer
refuse 'epochs' --epochs 0
refuse 'epochs' --epochs many
refuse 'dropout' --dropout 1.5
refuse 'nonsense' --nonsense
refuse 'heads' --heads 4
refuse 'heads' --model dagnn --heads 4
refuse 'hops is an option of appnp and dagnn' --hops 4
refuse 'hops' --model gat --hops 4
refuse 'hops' --model dagnn --hops -1
refuse 'alpha is an option of appnp' --model dagnn --alpha 0.2
refuse 'alpha' --model appnp --alpha 1.5
refuse 'patience' --patience 5
refuse 'split' --split 1
refuse 'no such file' --data nowhere
refuse '0 safetensors files' --data empty
refuse 'text.safetensors' --data text.safetensors
refuse 'WEFT_DATA_DIR' --dataset cora
refuse 'nowhere.safetensors' --load nowhere.safetensors
refuse 'text.safetensors' --load text.safetensors
refuse 'gat' --model gcn --load gat.safetensors
refuse 'dagnn' --model appnp --load dagnn.safetensors
refuse 'alpha' --alpha 0.2 --load dagnn.safetensors
refuse 'conv1' --hidden 5 --load gcn.safetensors
refuse 'save' --load gcn.safetensors --save again.safetensors
refuse 'nowhere' --epochs 5 --save nowhere/gcn.safetensors
refuse 'lr' --lr 1e30 --epochs 200 --save diverged.safetensors
[ ! -e diverged.safetensors ] || fail "a run that diverged was saved"
[ -z "$(find . -name '*.tmp')" ] || fail "temporary files were left"
