#!/usr/bin/env bash
# Runs examples/minimal.cpp (its program is $1) on the pretrained MiniLM, as the README does; skipped without it.
set -euo pipefail
cd "$(dirname "$0")/.."
model=${SESAME_MINILM:-build/models/minilm}
if [ ! -f "$model/model.safetensors" ]; then
  echo "SKIPPED: no pretrained model in $model (tools/setup.sh --model fetches it)"
  exit 77
fi
text=$("$1" "$model")
echo "$text"
# Python's sentence-transformers give 0.6888 for these two sentences.
[ "$text" = "cosine 0.6888" ]
