#!/usr/bin/env bash
# Everything that needs a CUDA device, on a machine that has one; ends with a table and a line of counts.
#   tests/cuda_check.sh                    configures and builds build/cuda first
#   tests/cuda_check.sh --built [FOLDER]   takes a build as it is (default: build/cuda), or a folder of bench/cuda_pack.sh
# --only tests|sanitizer   one of the two parts: the tests labelled cuda, and compute-sanitizer over the tests of ops
# --budget SECONDS         what has not begun by then is skipped, what runs is stopped (default: 1200)
# --jobs N                 so many at a time (default: half the cores, at most 6)
# --logs FOLDER            where their output goes (default: logs in the build)
# Exit code 1 when a test fails, 77 when there is no device to test on.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
build=build/cuda built='' part='' budget=1200 logs=''
jobs=$(($(nproc) / 2 > 6 ? 6 : ($(nproc) / 2 > 0 ? $(nproc) / 2 : 1)))
while [ $# -gt 0 ]; do
  case $1 in
    --built) built=1; if [ -n "${2:-}" ] && [ "${2#--}" = "$2" ]; then build=$2; shift; fi ;;
    --only) part=${2:-}; shift ;;
    --budget) budget=${2:-}; shift ;;
    --jobs) jobs=${2:-}; shift ;;
    --logs) logs=${2:-}; shift ;;
    *) echo "cuda_check.sh: unknown option '$1'" >&2; exit 2 ;;
  esac
  shift
done
if [ -z "$built" ]; then
  mkdir -p "$build"
  { cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSESAME_CUDA=ON -DSESAME_TESTS=ON -DSESAME_TOOLS=ON &&
    ninja -C "$build" programs device_tests; } >"$build/build.log" 2>&1 || { tail -n 20 "$build/build.log"; exit 1; }
elif [ -f "$build/pack.tar.xz" ]; then
  build=$(bench/cuda_pack.sh --unpack "$build") || exit 1
fi
[ -x "$build/tests/on_device" ] || { echo "cuda_check.sh: nothing is built in $build: leave --built out, or make a pack (bench/cuda_pack.sh)" >&2; exit 2; }
logs=${logs:-$build/logs}
mkdir -p "$logs"
export OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive

# cuBLASLt of a Python package serves as well as that of a toolkit.
packages=$(python3 -c 'import nvidia; print(list(nvidia.__path__)[0])' 2>/dev/null)
for folder in "$packages"/*/lib; do
  [ -n "$packages" ] && [ -d "$folder" ] && export LD_LIBRARY_PATH="$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
done
"$build/tests/on_device" true || exit $?
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null
"$build/tools/train" --version

# one <name> <limit> <command>: runs it; <logs>/<name>.result gets the verdict and the seconds.
one() {
  local name=$1 limit=$2 left code verdict begin=$SECONDS; shift 2
  left=$((budget - SECONDS))
  if [ "$left" -le 0 ]; then echo "skipped 0 no time left" >"$logs/$name.result"; return; fi
  timeout -k 5 "$((left < limit ? left : limit))" "$@" >"$logs/$name.log" 2>&1
  code=$?
  case $code in
    0) verdict=passed ;;
    77) verdict=skipped ;;
    124 | 137) if [ "$left" -lt "$limit" ]; then verdict=skipped; else verdict=FAILED; fi ;;
    *) verdict=FAILED ;;
  esac
  if [ "$verdict" = FAILED ] && grep -q 'Device not supported' "$logs/$name.log"; then
    verdict=skipped code='compute-sanitizer does not take this device'
  fi
  case $code in
    0) code='' ;;
    77) code=$(head -n 1 "$logs/$name.log") ;;
    124 | 137) code='stopped: out of time' ;;
    [0-9]*) code="exit code $code" ;;
  esac
  echo "$verdict $((SECONDS - begin)) $code" >"$logs/$name.result"
}
names=()
start() {  # start <name> <limit> <command>: in the background, at most $jobs at a time
  names+=("$1")
  rm -f "$logs/$1.result" "$logs/$1.log"
  while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
  one "$@" &
}

op_tests=()
for test in "$build"/tests/test_ops_*; do
  if [ -x "$test" ] && [ -f "$test" ]; then op_tests+=("$test"); fi
done
if [ "$part" != sanitizer ]; then
  start cuda_tasks 400 tests/cuda/tasks.sh "$build/tools"
  start cuda_device 200 "$build/tests/test_device"
  for name in recorded optimizer_step update_step later; do start "cuda_$name" 200 "$build/tests/test_$name"; done
  for test in "${op_tests[@]}"; do start "$(basename "$test")" 200 "$test"; done
fi
if [ "$part" != tests ]; then
  # What shares memory between threads first.
  for tool in memcheck racecheck synccheck; do
    for subject in attention norm rows softmax reduce segments matmul loss crf pointwise; do
      test=$build/tests/test_ops_$subject
      [ -x "$test" ] || continue
      case $tool,$subject in
        memcheck,* | *,attention | *,norm | *,rows | *,softmax | *,reduce | *,segments) ;;
        *) continue ;;
      esac
      if command -v compute-sanitizer >/dev/null; then
        start "test_ops_$subject,$tool" 400 compute-sanitizer --tool $tool --error-exitcode 1 "$test"
      else
        start "test_ops_$subject,$tool" 1 sh -c 'echo "no compute-sanitizer"; exit 77'
      fi
    done
  done
fi
wait

passed=0 failed=0 skipped=0
printf '\n%-34s %-8s %7s\n' test result seconds
for name in "${names[@]}"; do
  read -r verdict seconds why <"$logs/$name.result"
  printf '%-34s %-8s %7s %s\n' "$name" "$verdict" "$seconds" "$why"
  case $verdict in passed) passed=$((passed + 1)) ;; skipped) skipped=$((skipped + 1)) ;; *) failed=$((failed + 1)) ;; esac
done
for name in "${names[@]}"; do
  read -r verdict _ <"$logs/$name.result"
  [ "$verdict" = FAILED ] || continue
  printf '\n%s:\n' "$name"
  grep -E 'ERROR|FAILED|differ|threw|Invalid|hazard|=====' "$logs/$name.log" | head -n 12
done
printf '\n%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]
