#!/usr/bin/env bash
# Long runs on a small model: predict reads lines from standard input without end, train makes update after update with
# evaluations and checkpoints. Memory, open files and the lines or updates made in a second of processor time must stay
# where they are: seconds of the clock, which are shown beside, depend on what else the machine does meanwhile.
# tests/soak.sh [MINUTES [TOOLS]]: half of the time for each.
set -uo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-4} tools=$(cd "${2:-build/tools}" && pwd)
model=$PWD/tests/golden/tiny_bert
scratch=$(mktemp -d)
started=()
stop() {
  kill -9 "${started[@]}"
  wait "${started[@]}"
  started=()
} 2>/dev/null
finish() {
  [ ${#started[@]} -eq 0 ] || stop
  rm -rf "$scratch"
}
trap finish EXIT
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }

median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# watch_process <name> <pid> <file whose lines count>: 20 samples over the time, the first two are the start-up. Files
# are open for a moment when a checkpoint is written, so the medians of early and late samples are compared.
watch_process() {
  local name=$1 pid=$2 counted=$3 seconds=$((minutes * 30)) sample
  local lines=() memory=() files=() at=() cpu=()
  local ticks; ticks=$(getconf CLK_TCK)
  local begin; begin=$(date +%s%N)
  for sample in $(seq 20); do
    sleep "$(awk "BEGIN { print $seconds / 20 }")"
    kill -0 "$pid" 2>/dev/null || { fail "$name ended: $(tail -n 1 "$scratch/$name.err")"; return; }
    memory+=("$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")")
    files+=("$(ls "/proc/$pid/fd" | wc -l)")
    lines+=("$(wc -l <"$counted")") at+=($((($(date +%s%N) - begin) / 1000000)))
    cpu+=("$(awk -v ticks="$ticks" '{ print int(($14 + $15) * 1000 / ticks) }' "/proc/$pid/stat")")
  done
  local early=$(((lines[8] - lines[2]) * 1000 / (at[8] - at[2]))) late=$(((lines[19] - lines[13]) * 1000 / (at[19] - at[13])))
  local early_cpu=$(((lines[8] - lines[2]) * 1000 / (cpu[8] - cpu[2]))) late_cpu=$(((lines[19] - lines[13]) * 1000 / (cpu[19] - cpu[13])))
  local early_files late_files
  early_files=$(median "${files[@]:2:7}") late_files=$(median "${files[@]:13:7}")
  echo "$name: ${lines[19]} lines in $((at[19] / 1000)) s; in a second of processor time $early_cpu early, $late_cpu late" \
    "(of the clock $early, $late); memory ${memory[2]} kB early, ${memory[19]} kB late; open files $early_files early, $late_files late"
  [ "${memory[19]}" -le $((memory[2] + memory[2] / 50 + 1024)) ] || fail "$name: memory grows"
  [ "$late_files" -le "$early_files" ] || fail "$name: open files grow"
  [ "$late_cpu" -ge $((early_cpu * 8 / 10)) ] || fail "$name: gets slower"
}

printf 'text\tlabel\n' >"$scratch/train.tsv"
for _ in $(seq 64); do printf 'the good b\tyes\nnot a\tno\nis good\tyes\nnot the b is\tno\n' >>"$scratch/train.tsv"; done
"$tools/train" --model "$model" --train "$scratch/train.tsv" --out "$scratch/model" --epochs 1 --max-length 16 --threads 1 \
  >/dev/null 2>"$scratch/first.err" || { cat "$scratch/first.err"; exit 1; }

mkfifo "$scratch/lines"
(while printf 'the good b is not a\nnot the b\na good b\nis a b good\n'; do :; done) >"$scratch/lines" &
started+=($!)
"$tools/predict" --model "$scratch/model" --input - --threads 1 <"$scratch/lines" >"$scratch/predictions" 2>"$scratch/predict.err" &
started+=($!)
watch_process predict $! "$scratch/predictions"
stop
rm -f "$scratch/predictions"

"$tools/train" --model "$model" --train "$scratch/train.tsv" --dev "$scratch/train.tsv" --out "$scratch/run" --steps 100000000 \
  --max-length 16 --eval-every 500 --save-every 200 --threads 1 >/dev/null 2>"$scratch/train.err" &
started+=($!)
for _ in $(seq 100); do [ -e "$scratch/run/metrics.jsonl" ] && break; sleep 0.1; done
watch_process train $! "$scratch/run/metrics.jsonl"
exit $((failures > 0))
