#!/usr/bin/env bash
# Several processes that train and predict together: equal to one, repeatable, and how they end when one of them does
# not. Needs mpirun and a build with MPI.
. "$(dirname "$0")/common.sh"

export OMP_WAIT_POLICY=passive  # the ranks of a test share few cores
# Open MPI keeps what its plug-ins allocated and unloads them before the leak check, which then has no name to let pass.
# Leaks of our own are looked for in the other scripts; wrong addresses and undefined behaviour are errors here too.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
mpi() {  # mpi <ranks> <command...>
  local ranks=$1; shift
  local root=()
  [ "$(id -u)" -ne 0 ] || root=(--allow-run-as-root)
  mpirun "${root[@]}" --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none -n "$ranks" "$@"
}
if ! command -v mpirun >/dev/null; then
  echo "skipped: several ranks (no mpirun: apt-get install openmpi-bin libopenmpi-dev)"; checks=1; exit
fi
if [[ $(mpi 2 "$tools/train" --train none --model none --out none 2>&1) == *'this build has no MPI'* ]]; then
  echo "skipped: several ranks (a build without MPI)"; checks=1; exit
fi

data=$source_dir/examples/data/sentiment
train() {  # train <out> <options...>
  local out=$1; shift
  echo "$tools/train --model $model --train $data/train.tsv --dev $data/dev.tsv --out $out --limit 320 --dev-limit 64 --max-length 32 --threads 1 --steps 20 --lr 1e-3 $*"
}
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }

# close <a> <b> <largest relative difference>: the losses and gradient norms of two runs, step by step.
close() {
  checks=$((checks + 1))
  paste -d' ' <(grep '"loss"' "$1/metrics.jsonl") <(grep '"loss"' "$2/metrics.jsonl") | tr -c '0-9.eE+\n-' ' ' |
    awk -v most="$3" -v what="$1 and $2" '
      function apart(x, y) { d = x - y; if (d < 0) d = -d; return d > most * (y < 0 ? -y : y) }
      { n = 0; for (i = 1; i <= NF; i++) if ($i ~ /^[0-9+-]/) v[++n] = $i + 0
        if (n != 8 || v[1] != v[5] || apart(v[2], v[6]) || apart(v[4], v[8])) { bad = 1; print "FAILED: " what ": " $0 } rows++ }
      END { if (rows != 20) print "FAILED: " what ": " rows " steps"; exit bad || rows != 20 }' || failures=$((failures + 1))
}
same() { checks=$((checks + 1)); cmp -s "$1" "$2" || fail "$1 and $2 differ"; }

# N ranks of batch B are one rank of N * B: dropout, the tail of an epoch, the loss and the gradient norm of each step.
for type in fp64 fp32; do
  most=1e-4; [ $type = fp32 ] || most=1e-10
  accepts $(train one-$type --dtype $type --batch-size 24)
  accepts mpi 2 $(train two-$type --dtype $type --batch-size 12);  close two-$type one-$type $most
  accepts mpi 4 $(train four-$type --dtype $type --batch-size 6);  close four-$type one-$type $most
done
says '"ranks":4'
accepts mpi 2 $(train again --batch-size 12)
same again/model.safetensors two-fp32/model.safetensors
accepts mpi 3 $(train three --dtype fp64 --batch-size 4 --accumulate 2);       close three one-fp64 1e-10
accepts $(train tokens-one --dtype fp64 --batch-tokens 200 --accumulate 3)
accepts mpi 3 $(train tokens-three --dtype fp64 --batch-tokens 200);           close tokens-three tokens-one 1e-10
for mode in "frozen --pool mean --features mix" "adapter --adapter-size 4" "full --unfreeze-gradually"; do
  rm -rf mode-one mode-two
  accepts $(train mode-one --dtype fp64 --batch-size 24 --tune $mode)
  accepts mpi 2 $(train mode-two --dtype fp64 --batch-size 12 --tune $mode);   close mode-two mode-one 1e-10
done

# What rank 0 writes does not depend on the number of ranks.
accepts "$tools/predict" --model two-fp32 --input "$data/dev.tsv" --output one.jsonl --threads 1 --batch-tokens 256
accepts mpi 2 "$tools/predict" --model two-fp32 --input "$data/dev.tsv" --output two.jsonl --threads 1 --batch-tokens 256
same one.jsonl two.jsonl
accepts "$tools/evaluate" --model two-fp32 --data "$data/dev.tsv" --threads 1;        cp out.txt one.txt
accepts mpi 2 "$tools/evaluate" --model two-fp32 --data "$data/dev.tsv" --threads 1;  same out.txt one.txt

# refused <text> <command...>: the job ends with exit code 2 and a line with that text.
refused() {
  local text=$1; shift
  checks=$((checks + 1))
  "$@" >out.txt 2>err.txt </dev/null; local code=$?
  if [ $code -ne 2 ] || [ "$(grep -cF -- "$text" err.txt)" -ne 1 ]; then fail "exit code $code, expected '$text' once: $(head -n 4 err.txt)"; fi
}
cat >differs.sh <<END
#!/bin/sh
[ "\$OMPI_COMM_WORLD_RANK" != 1 ] || set -- "\$@" \$DIFFERENT
exec "\$@"
END
chmod +x differs.sh
export DIFFERENT="--lr 0.5"
refused "rank 1 differs from rank 0: --lr is 0.5 there, 0.001 on rank 0" mpi 2 ./differs.sh $(train bad)
cp "$data/train.tsv" train.tsv && printf 'one more\tpositive\n' >>train.tsv
DIFFERENT="--train train.tsv"
refused "the training data is" mpi 2 ./differs.sh $(train bad)
refused "column" mpi 2 $(train bad --columns text=nothing)
refused "one process" mpi 2 "$tools/tokenize" --model "$model" --input "$data/dev.tsv"
refused "standard input" mpi 2 "$tools/predict" --model two-fp32 --input -
checks=$((checks + 1)); [ ! -e bad ] || fail "a refused run left a folder"

# One rank is killed, or stopped: the job ends within seconds, names it, and the checkpoint is whole.
export SESAME_RANK_DEADLINE=3
ours() {  # the processes of programs that work in this folder
  local exe
  for exe in /proc/[0-9]*/exe; do
    [ "$(readlink "$exe")" = "$tools/train" ] || continue
    [ "$(readlink "${exe%exe}cwd")" = "$folder" ] && basename "${exe%/exe}"
  done 2>/dev/null
}
stops() {  # stops <signal> <text in the messages>
  rm -rf run
  local began=$SECONDS
  mpi 2 $(train run --batch-size 12 --epochs 100000 --steps 0 --save-every 5) >out.txt 2>err.txt </dev/null &
  local job=$! rank=
  for _ in $(seq 200); do
    [ -n "$(ls run/checkpoints 2>/dev/null)" ] && break
    sleep 0.05
  done
  for pid in $(ours); do
    tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -q '^OMPI_COMM_WORLD_RANK=1$' && rank=$pid
  done
  [ -n "$rank" ] && kill "-$1" "$rank"
  wait "$job"; local code=$?
  checks=$((checks + 1))
  if [ -z "$rank" ] || [ $code -eq 0 ] || [ $((SECONDS - began)) -gt 40 ] || ! grep -qE "$2" err.txt; then
    fail "SIG$1: exit code $code after $((SECONDS - began)) s: $(tail -n 5 err.txt)"
  fi
  checks=$((checks + 1))
  [ -z "$(ours)" ] || fail "SIG$1: a rank goes on"
  checks=$((checks + 1))
  [ -s "$(ls -d run/checkpoints/step-* | tail -n 1)/model.safetensors" ] || fail "SIG$1: no whole checkpoint"
}
stops KILL 'process rank 1 .*signal 9'
stops STOP 'rank 1 \(process .* no sign of life'

# Resumed by fewer ranks: as the undisturbed run. Other updates are refused.
SESAME_RANK_DEADLINE=20
accepts mpi 2 $(train part --dtype fp64 --batch-size 12 --save-every 7 --keep 9)
for step in part/checkpoints/step-*; do [ "$step" = part/checkpoints/step-00000007 ] || rm -rf "$step"; done
rm part/result.json part/task.json
checks=$((checks + 1))
$(train part --dtype fp64 --batch-size 12 --resume) >out.txt 2>err.txt && fail "resumed with other updates"
grep -q -- "--ranks was 2, is 1" err.txt || fail "not said why: $(tail -n 1 err.txt)"
accepts $(train part --dtype fp64 --batch-size 24 --save-every 7 --resume)
close part one-fp64 1e-10
