#!/usr/bin/env bash
# One training run of each output on the CPU and on a device, through the programs: float32 follows the CPU, bfloat16
# comes close, a resumed run ends with the same weights, and predictions are made there.
. "$(dirname "$0")/../cli/common.sh"

printf 'text\tlabel\nthe good\tyes\nnot a\tno\nis good b\tyes\nnot\tno\n' >classify.tsv
printf 'the O\ngood B-A\ndog I-A\nis O\nbad O\n\nnot O\na O\ncat B-A\n\ncat B-A\n! O\n' >tag.conll
printf '{"text": "the cat is not good", "answer": "cat"}\n{"text": "a dog is", "answer": "a dog"}\n' >extract.jsonl
printf 'text\ttarget\na b c\tc b a\nd e\te d\nf g h\th g f\na d\td a\n' >generate.tsv

train() {  # train <task> <data> <out> <options>: four epochs
  local task=$1 data=$2 out=$3; shift 3
  "$tools/train" --task "$task" --model "$model" --train "$data" --dev "$data" --out "$out" --max-length 24 --epochs 4 \
    --batch-size 2 --lr 1e-3 --seed 3 "$@"
}
losses() { grep -oE '"loss":[^,}]*' "$1/metrics.jsonl" | cut -d: -f2; }
close() {  # close <run> <run> <largest relative difference>: the losses of all steps
  checks=$((checks + 1))
  paste <(losses "$1") <(losses "$2") | awk -v most="$3" -v name="$2" '
    NF < 2 { short = 1 }
    { d = ($1 - $2) / ($1 > 0.05 ? $1 : 0.05); if (d < 0) d = -d; if (d > worst) worst = d }
    END { printf "%-22s %3d losses, largest difference %.2g (allowed %s)\n", name, NR, worst, most
          exit !(NR > 0 && !short && worst <= most) }' || { echo "FAILED: $2 does not follow $1"; failures=$((failures + 1)); }
}

while read -r name task data options; do
  # shellcheck disable=SC2086  # options are words
  accepts train "$task" "$data" "$name-cpu" $options
  accepts train "$task" "$data" "$name-fp32" $options --device cuda
  accepts train "$task" "$data" "$name-bf16" $options --device cuda --dtype bf16
  close "$name-cpu" "$name-fp32" 2e-3
  close "$name-cpu" "$name-bf16" 0.25
  accepts "$tools/predict" --model "$name-cpu" --input "$data" --output cpu.jsonl
  accepts "$tools/predict" --model "$name-fp32" --input "$data" --output cuda.jsonl --device cuda
  accepts "$tools/evaluate" --model "$name-bf16" --data "$data" --device cuda --dtype bf16
done <<'ROWS'
classify classify classify.tsv
adapter classify classify.tsv --tune adapter
lora classify classify.tsv --tune lora
tag tag tag.conll
crf tag tag.conll --decode crf
extract extract extract.jsonl
decoder generate generate.tsv --decoder-layers 1 --max-target-length 16
self generate generate.tsv --generator self --max-target-length 12
ROWS

# The same bits twice, and once more for a run that loses its last updates and goes on.
long() { train classify classify.tsv "$1" --device cuda --dtype bf16 --save-every 2 --keep 100 "${@:2}"; }
same() {
  checks=$((checks + 1))
  cmp -s "$1/model.safetensors" "$2/model.safetensors" || { echo "FAILED: the weights of $1 and $2 differ"; failures=$((failures + 1)); }
}
accepts long whole
accepts long again
same whole again
cp -r whole part && rm -r part/result.json part/checkpoints/step-00000006 part/checkpoints/step-00000008
accepts long part --resume
same whole part

# Two ranks, which share the device where there is one only, are one rank of twice the batch.
if command -v mpirun >/dev/null; then
  root=()
  [ "$(id -u)" -ne 0 ] || root=(--allow-run-as-root)
  accepts train classify classify.tsv one-rank --device cuda --batch-size 2
  accepts mpirun "${root[@]}" --oversubscribe --bind-to none -n 2 "$tools/train" --task classify --model "$model" \
    --train classify.tsv --dev classify.tsv --out two-ranks --max-length 24 --epochs 4 --lr 1e-3 --seed 3 --device cuda --batch-size 1
  says '"ranks":2'
  close one-rank two-ranks 1e-4
else
  echo "skipped: two ranks (no mpirun)"
fi
