#!/usr/bin/env bash
# Training runs that end at the wrong moment: killed with SIGKILL while they compute and while they write, stopped with
# SIGTERM, on a full disk, in a folder that is removed or may not be written any more. Every time the checkpoints left behind must load,
# and the run that goes on from them must end with the same bits as one that nobody disturbed.
# tests/cli/kill.sh TOOLS [KILLS [SEED]]; the default is a handful, 100 take some minutes.
. "$(dirname "$0")/common.sh"
kills=${2:-6}
RANDOM=${3:-1}

fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
printf 'text\tlabel\n' >train.tsv
for i in $(seq 24); do printf 'the good b\tyes\nnot a\tno\nis good\tyes\nnot the b is\tno\n' >>train.tsv; done
# A checkpoint after each of 36 updates: much of the time goes into writing.
train() { echo "$tools/train" --model "$model" --train train.tsv --dev train.tsv --max-length 16 --batch-size 8 \
    --epochs 3 --eval-every 7 --save-every 1 --keep 2 --lr 1e-3 --threads 1 --out "$@"; }

started=$(date +%s%N)
accepts $(train whole)
milliseconds=$((($(date +%s%N) - started) / 1000000))

# What a run leaves in $1: folders that have their name are complete.
check_checkpoints() {
  local step
  for step in "$1"/checkpoints/step-*; do
    [ -e "$step" ] || continue
    for file in model.safetensors optimizer.safetensors state.json; do
      [ -s "$step/$file" ] || fail "$2: $step lacks $file"
    done
  done
}
check_end() {
  checks=$((checks + 3))
  cmp -s "$1/model.safetensors" whole/model.safetensors || fail "$2: other weights than those of the undisturbed run"
  cmp -s "$1/metrics.jsonl" whole/metrics.jsonl || fail "$2: other losses or scores than those of the undisturbed run"
  [ -z "$(find "$1" -name '.*sesame-tmp*')" ] || fail "$2: temporary files are left"
}

# Once in four times the run that goes on is killed, too.
killed=0 moments=()
while [ "$killed" -lt "$kills" ]; do
  rm -rf run; finished=0 label="kill $((killed + 1))"
  while [ "$finished" -eq 0 ]; do
    if [ "$killed" -lt "$kills" ] && { [ ! -e run ] || [ $((RANDOM % 4)) -eq 0 ]; }; then
      moment=$((RANDOM * 32768 + RANDOM)); moment=$((20 + moment % milliseconds))
      $(train run) --resume >out.txt 2>err.txt </dev/null &
      pid=$!
      sleep "$(printf '%d.%03d' $((moment / 1000)) $((moment % 1000)))"
      kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null; code=$?
      if [ $code -eq 137 ]; then killed=$((killed + 1)); moments+=("$moment"); fi
      [ $code -eq 137 ] || [ $code -eq 0 ] || { fail "$label after $moment ms: exit code $code: $(tail -n 1 err.txt)"; break; }
      checks=$((checks + 1))
      [ ! -e run ] || check_checkpoints run "$label after $moment ms"
    else
      checks=$((checks + 1))
      $(train run) --resume >out.txt 2>err.txt </dev/null || fail "$label: does not go on: $(tail -n 1 err.txt)"
      finished=1
    fi
  done
  check_end run "$label after ${moments[-1]:-?} ms"
done
echo "$killed kills, after $(printf '%s\n' "${moments[@]}" | sort -n | sed -n '1p;$p' | paste -sd- ) of $milliseconds ms"

# interrupted <text> <command...>: an error of one line with that text, exit code 2.
interrupted() {
  local expected=$1; shift; checks=$((checks + 1))
  "$@" >out.txt 2>err.txt </dev/null; local code=$?
  if [ $code -ne 2 ] || ! tail -n 1 err.txt | grep -qiF -- "$expected"; then
    fail "expected '$expected' and exit code 2, got $code: $(tail -n 1 err.txt)"
  fi
}

# The disk fills up between two checkpoints: the last one stays, and with more room the run goes on.
mkdir small
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=700k tmpfs small 2>/dev/null; then
  mounted=yes
  interrupted "space" $(train small/run)
  check_checkpoints small/run "full disk"
  checks=$((checks + 1))
  [ -n "$(ls -d small/run/checkpoints/step-* 2>/dev/null)" ] || fail "full disk: no checkpoint is left"
  [ ! -e small/run/task.json ] || fail "full disk: left a task.json"
  mount -o remount,size=20m small
  accepts $(train small/run) --resume
  check_end small/run "full disk"
else
  echo "skipped: the full disk (needs root and tmpfs)"
fi

# Somebody stops the run; its folder disappears, or may not be written any more.
as=
disturbed() {  # disturbed <action on ./run> <text>
  rm -rf run; checks=$((checks + 1))
  $as $(train run) >out.txt 2>err.txt </dev/null &
  local pid=$!
  for _ in $(seq 200); do compgen -G 'run/checkpoints/step-*' >/dev/null && break; sleep 0.01; done
  eval "$1"
  wait $pid; local code=$?
  [ $code -eq 2 ] && tail -n 1 err.txt | grep -qF -- "$2" || fail "$1: expected '$2' and exit code 2, got $code: $(tail -n 1 err.txt)"
}
disturbed 'kill -TERM $pid' 'stopped by SIGTERM after update'
check_checkpoints run "SIGTERM"
accepts $(train run) --resume
check_end run "SIGTERM"
disturbed 'mv run gone' 'run/checkpoints'
check_checkpoints gone "folder gone"
checks=$((checks + 1)); rm -rf run; mv gone run
accepts $(train run) --resume
check_end run "folder gone and back"

# Root may write everywhere: then somebody else runs it, where the programs and the model are open to all.
if [ "$(id -u)" -eq 0 ]; then
  as="setpriv --reuid=65534 --regid=65534 --clear-groups"
  chmod 777 . && chmod -R a+rX .
fi
if $as "$tools/train" --version >/dev/null 2>&1 && $as test -r "$model/config.json"; then
  rm -rf run
  disturbed 'chmod 555 run/checkpoints' 'run/checkpoints'
  chmod 777 run/checkpoints
  check_checkpoints run "read-only folder"
  accepts $as $(train run) --resume
  check_end run "folder read-only for a while"
else
  echo "skipped: the read-only folder (needs another user than root)"
fi
