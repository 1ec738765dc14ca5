#!/usr/bin/env bash
# The programs from outside, with parts of a model trained: modes, adapter folders, bases, features.
. "$(dirname "$0")/common.sh"

printf 'text\tlabel\nthe good\tyes\nnot a\tno\nis good b\tyes\nnot\tno\n' >train.tsv
cp -r "$model" base
train() { echo "$tools/train" --model base --train train.tsv --dev train.tsv --out "${1:-run}" --max-length 16 --epochs 2 --threads 1; }
on_stderr() {  # on_stderr <text>: in the last program's messages
  checks=$((checks + 1))
  grep -qF -- "$1" err.txt || { echo "FAILED: expected '$1' on stderr, got: $(tail -n 3 err.txt)"; failures=$((failures + 1)); }
}

refuses "unknown mode" $(train) --tune half
refuses "--adapter-size" $(train) --tune adapter --adapter-size 0
refuses "--adapter-norms" $(train) --tune adapter --adapter-norms maybe
refuses "expected houlsby or pfeiffer" $(train) --tune adapter --adapter-kind other
refuses "--adapter-place" $(train) --tune adapter --adapter-place top
refuses "has one place only" $(train) --tune adapter --adapter-kind pfeiffer --adapter-place attention
for layers in 2 0-1 2-1 1-3 1-2x -; do refuses "--adapter-layers" $(train) --tune adapter --adapter-layers=$layers; done
refuses "--lora-rank" $(train) --tune lora --lora-rank 0
refuses "--unfreeze-gradually" $(train) --tune frozen --unfreeze-gradually
refuses "--layer-decay" $(train) --layer-decay 2
refuses "unknown features" $(train) --features first
refuses "concat:9" $(train) --features concat:9

for mode in frozen lora bitfit "full --unfreeze-top 1" "full --unfreeze-gradually --layer-decay 0.9"; do
  rm -rf run
  accepts $(train) --tune $mode --lora-rank 2;           on_stderr "parameters are trained"
  accepts "$tools/predict" --model run --input train.tsv; says '"label"'
done
rm -rf run
accepts $(train) --tune frozen --pool mean --features mix --cache-mb 0
says '"layer_weights":['
on_stderr "weights of the layers: embeddings"
rm -rf run

for seed in 1 2; do accepts $(train "adapter$seed") --tune adapter --adapter-size 4 --seed $seed; done
on_stderr "its base stays in 'base'"
for file in adapter.safetensors adapter_config.json model_head.safetensors head_config.json layer_norms.safetensors task.json; do
  checks=$((checks + 1))
  [ -e "adapter1/$file" ] || { echo "FAILED: no adapter1/$file"; failures=$((failures + 1)); }
done
checks=$((checks + 1))
[ ! -e adapter1/model.safetensors ] || { echo "FAILED: an adapter's folder holds a whole model"; failures=$((failures + 1)); }
accepts "$tools/predict" --model adapter1 --model adapter2 --input train.tsv;  says '"label"'
accepts "$tools/evaluate" --model adapter1 --data train.tsv;                   says '"accuracy"'
accepts $(train adapter1) --tune adapter --adapter-size 4 --seed 1 --resume
accepts $(train adapter1) --tune adapter --adapter-size 4 --seed 1 --adapter-norms off --overwrite
checks=$((checks + 1))
[ ! -e adapter1/layer_norms.safetensors ] || { echo "FAILED: LayerNorms stored that were not trained"; failures=$((failures + 1)); }
mv base moved
refuses "--base" "$tools/predict" --model adapter2 --input train.tsv
accepts "$tools/predict" --model adapter2 --base moved --input train.tsv;      says '"label"'
mv moved base
accepts $(train other) --tune full
refuses "was trained on the base with hash xxh64:" "$tools/predict" --model adapter2 --base other --input train.tsv
refuses "--base] is for adapters" "$tools/predict" --model other --base base --input train.tsv

# What a finished run of an adapter leaves: small files, and that it is finished.
accepts $(train adapter1) --tune adapter --adapter-size 4 --seed 1 --overwrite
checks=$((checks + 1))
large=$(find adapter1 -name 'optimizer.safetensors' -o -path '*step-*' -name '*.safetensors')
[ -z "$large" ] || { echo "FAILED: a finished adapter keeps $large"; failures=$((failures + 1)); }
accepts $(train adapter1) --tune adapter --adapter-size 4 --seed 1 --resume;   on_stderr "nothing to do"

# The average of adapters.
average() { echo "$tools/average --model adapter1 --model ${1:-adapter2} --out ${2:-mean}"; }
accepts $(average);                                                            says '"adapters":2'
accepts "$tools/evaluate" --model mean --data train.tsv;                       says '"accuracy"'
refuses "is not empty" $(average)
accepts $(average) --overwrite
accepts "$tools/average" --config mean/run.toml --out again
checks=$((checks + 1))
cmp -s mean/adapter.safetensors again/adapter.safetensors || { echo "FAILED: run.toml of an average does not repeat it"; failures=$((failures + 1)); }
refuses "two adapters or more" "$tools/average" --model adapter1 --out none
refuses "holds a whole model" $(average other none)
refuses "name another" $(average adapter2 adapter1) --overwrite
accepts $(train wide) --tune adapter --adapter-size 8
refuses "adapters of size 4" $(average wide none)
accepts $(train mlp) --tune adapter --adapter-size 4 --head mlp
refuses 'has "head" "linear"' $(average mlp none)
accepts $(train nonorms) --tune adapter --adapter-size 4 --adapter-norms off
refuses "--adapter-norms" $(average nonorms none)
accepts "$tools/train" --model other --train train.tsv --out onother --max-length 16 --epochs 1 --threads 1 --tune adapter --adapter-size 4
refuses "adapters of different models" $(average onother none)
checks=$((checks + 1))
[ ! -e none ] || { echo "FAILED: a refused average left a folder"; failures=$((failures + 1)); }
