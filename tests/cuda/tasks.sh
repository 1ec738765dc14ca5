#!/usr/bin/env bash
# Training runs of each output and each way to tune on the CPU and on a device, through the programs: float32 follows the
# CPU, bfloat16 comes close, predictions, scores and generated texts are the CPU's, and a resumed run ends with the same
# weights.
# shellcheck source-path=SCRIPTDIR source=../cli/common.sh
. "$(dirname "$0")/../cli/common.sh"

printf 'text\tlabel\nthe good\tyes\nnot a\tno\nis good b\tyes\nnot\tno\n' >classify.tsv
printf 'text\ttext2\tlabel\nthe good\tis b\tyes\nnot a\tthe\tno\nis good b\ta\tyes\nnot\tnot\tno\n' >pair.tsv
printf 'text\tlabel\nthe good\ta|b\nnot a\tb\nis good b\ta|c\nnot\tc\n' >labels.tsv
printf 'text\tlabel\nthe good\t1.5\nnot a\t0.25\nis good b\t2\nnot\t0\n' >number.tsv
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

# alike <file> <file>: the same text, and numbers that differ by a thousandth at most.
number='-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?'
alike() {
  checks=$((checks + 1))
  if [ ! -s "$1" ] || ! cmp -s <(sed -E "s/$number/#/g" "$1") <(sed -E "s/$number/#/g" "$2") ||
    ! paste <(grep -oE -- "$number" "$1") <(grep -oE -- "$number" "$2") | awk '
      { d = $1 - $2; if (d < 0) d = -d; if (d > 1e-3 * (1 + ($1 < 0 ? -$1 : $1))) { print "differ: " $1 " " $2; bad = 1 } }
      END { exit bad }'; then
    echo "FAILED: $name: $1 and $2 differ: $(diff "$1" "$2" | head -n 4)"; failures=$((failures + 1))
  fi
}
# both <program> <options>: its output with a model of the CPU, there and on the device.
both() {
  local program=$1; shift
  accepts "$tools/$program" "$@"; cp out.txt cpu.txt
  accepts "$tools/$program" "$@" --device cuda; cp out.txt cuda.txt
  alike cpu.txt cuda.txt
}

# shellcheck disable=SC2086  # options are words
while read -r name task data options; do
  accepts train "$task" "$data" "$name-cpu" $options
  accepts train "$task" "$data" "$name-fp32" $options --device cuda
  accepts train "$task" "$data" "$name-bf16" $options --device cuda --dtype bf16
  close "$name-cpu" "$name-fp32" 2e-3
  close "$name-cpu" "$name-bf16" 0.25
  both predict --model "$name-cpu" --input "$data"
  both evaluate --model "$name-cpu" --data "$data"
  accepts "$tools/evaluate" --model "$name-bf16" --data "$data" --device cuda --dtype bf16
  accepts "$tools/predict" --model "$name-bf16" --input "$data" --device cuda
  [ "$task" = generate ] || continue
  both predict --model "$name-cpu" --input "$data" --beam 3 --n-best 3 --length-penalty 0.6 --no-repeat-ngram 2
  both predict --model "$name-cpu" --input "$data" --sample --seed 5 --temperature 0.8 --top-k 20 --top-p 0.95
  both evaluate --model "$name-cpu" --data "$data" --beam 2
done <<'ROWS'
classify classify classify.tsv
pair classify pair.tsv --pool mean --head mlp
labels classify labels.tsv --labels multi
number classify number.tsv --labels number --pool attention
mix classify classify.tsv --features mix --features-norm
concat classify classify.tsv --features concat:2 --pool max
frozen classify classify.tsv --tune frozen
bitfit classify classify.tsv --tune bitfit
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

# An ensemble.
name=ensemble
both predict --model classify-cpu --model mix-cpu --input classify.tsv --logits

# What is timed there is told in figures.
small=(--size tiny --batch 2 --length 16 --repeat 1 --warmup 1 --device cuda --dtype bf16 --json)
accepts "$tools/bench" "${small[@]}"
says '"what":"train"'; says '"of_gemm"'
accepts "$tools/bench" "${small[@]}" --ops --only attention --lengths 16 --head-widths 32,64
says '"head_width":64'; says '"backward_gflops"'

# Two ranks, which share the device where there is one only, are one rank of twice the batch.
if command -v mpirun >/dev/null && ldd "$tools/train" | grep -q libmpi; then
  root=()
  [ "$(id -u)" -ne 0 ] || root=(--allow-run-as-root)
  accepts train classify classify.tsv one-rank --device cuda --batch-size 2
  accepts mpirun "${root[@]}" --oversubscribe --bind-to none -n 2 "$tools/train" --task classify --model "$model" \
    --train classify.tsv --dev classify.tsv --out two-ranks --max-length 24 --epochs 4 --lr 1e-3 --seed 3 --device cuda --batch-size 1
  says '"ranks":2'
  close one-rank two-ranks 1e-4
else
  echo "skipped: two ranks (no mpirun, or programs without MPI)"
fi
