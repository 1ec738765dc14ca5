#!/usr/bin/env bash
# Sets up everything, builds the CPU version and passes the tests. The last lines count them. Arguments go to ctest:
# tests/run.sh -R tokenizer
set -euo pipefail
cd "$(dirname "$0")/.."
tools/setup.sh --model
mkdir -p build
generator=(-G Ninja)
if [ -f build/CMakeCache.txt ]; then generator=(); fi
cmake -S . -B build "${generator[@]}" -DSESAME_CUDA=OFF -DSESAME_TESTS=ON -DSESAME_TOOLS=ON >build/configure.log 2>&1 ||
  { cat build/configure.log; exit 1; }
cmake --build build
tests/layout_rules.sh
ctest --test-dir build --output-on-failure -LE cuda "$@"
