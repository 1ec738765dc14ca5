#!/usr/bin/env bash
# Fuzzes every target, one after the other: tests/fuzz/run.sh [SECONDS [TARGET...]]. Needs clang++ with libFuzzer and
# libomp-dev; builds into build/fuzz. Inputs found on the way stay in build/fuzz/corpus, findings in
# build/fuzz/findings: make such an input small with
#   SESAME_FUZZ_TARGET=name build/fuzz/tests/fuzz/fuzz -minimize_crash=1 -runs=20000 FILE
# and keep it in tests/fuzz/seeds/name, which every test run replays. Exit code 1 when anything was found.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
command -v clang++ >/dev/null || { echo "run.sh: needs clang++: apt-get install clang libomp-dev" >&2; exit 2; }
[ -f build/fuzz/build.ninja ] || cmake --preset fuzz >/dev/null
cmake --build --preset fuzz
program=$PWD/build/fuzz/tests/fuzz/fuzz
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <("$program")

# The inputs are files: in memory they cost nothing.
scratch=$(TMPDIR=$([ -d /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}") mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch OMP_NUM_THREADS=1 UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=quarantine_size_mb=2
broken=0
for target in "${targets[@]}"; do
  corpus=build/fuzz/corpus/$target findings=build/fuzz/findings/$target
  mkdir -p "$corpus" "$findings"
  if SESAME_FUZZ_TARGET=$target "$program" -max_total_time="$seconds" -max_len=6000 -timeout=5 -rss_limit_mb=1024 \
      -malloc_limit_mb=512 -print_final_stats=1 -artifact_prefix="$findings/" "$corpus" "tests/fuzz/seeds/$target" \
      >"build/fuzz/$target.log" 2>&1; then
    echo "$target: $(grep -oE 'Done .*' "build/fuzz/$target.log")"
  else
    echo "$target: FOUND $(ls -t "$findings" | head -n 1): $(grep -E 'ERROR|runtime error|what\(\)' "build/fuzz/$target.log" | head -n 1)"
    broken=1
  fi
done
exit $broken
