#!/usr/bin/env bash
# From nothing to a trained model: installs what is missing, builds, fine-tunes the small pretrained model on the
# example sentences, and predicts some new ones. Takes no input; run it again as often as you like.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/setup.sh --model

# A build folder that is there keeps its options, so that tests/run.sh and this script do not undo each other's work.
mkdir -p build
if [ ! -f build/CMakeCache.txt ]; then
  cmake -S . -B build -G Ninja -DSESAME_CUDA=OFF -DSESAME_TESTS=OFF >build/configure.log 2>&1 ||
    { cat build/configure.log >&2; exit 1; }
fi
cmake --build build --target programs

data=examples/data/sentiment out=build/runs/quickstart
echo
echo "fine-tuning build/models/minilm on $data/train.tsv"
result=$(build/tools/train --train $data/train.tsv --dev $data/dev.tsv --model build/models/minilm --out $out --overwrite \
  --epochs 4 --lr 1e-4 --batch-size 16 | tail -n 1)
build/tools/predict --model $out --input $data/predict.txt --output $out/predictions.jsonl

number() { sed -n "s/.*\"$1\":\([-+.0-9eE]*\).*/\1/p" <<<"${result//: /:}"; }
echo
echo "predictions for $data/predict.txt:"
paste $data/predict.txt $out/predictions.jsonl | awk -F'\t' '{
  gsub(/": /, "\":", $2)
  label = $2; sub(/.*"label":"/, "", label); sub(/".*/, "", label)
  share = substr($2, index($2, "\"scores\""))
  share = substr(share, index(share, "\"" label "\":") + length(label) + 3)
  printf "  %-9s %3.0f %%  %s\n", label, 100 * share, $1
}'
echo
awk -v accuracy="$(number accuracy)" -v seconds="$(number train_seconds)" 'BEGIN {
  printf "accuracy on the development sentences: %.1f %% after %.0f s of training\n", 100 * accuracy, seconds }'
echo "open $out/report.html to see the curves and the mistakes; the model lies in $out"
echo "your own sentences:  echo 'What a day.' | build/tools/predict --model $out"
