#!/usr/bin/env bash
# Everything that needs a CUDA device, on a machine that has one; ends with a table of the tests.
#   tests/cuda_check.sh            configures and builds build/cuda first
#   tests/cuda_check.sh --built    takes build/cuda as it is (carried from another machine)
# Exit code 1 when a test fails, 77 when there is no device to test on.
set -uo pipefail
cd "$(dirname "$0")/.."
build=build/cuda
if [ "${1:-}" != --built ]; then
  cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Release -DSESAME_CUDA=ON -DSESAME_TESTS=ON -DSESAME_TOOLS=ON >$build.log 2>&1 &&
    ninja -C $build tests all >>$build.log 2>&1 || { tail -n 20 $build.log; exit 1; }
fi
# cuBLASLt of a Python package serves as well as that of a toolkit.
packages=$(python3 -c 'import nvidia, os; print(os.path.dirname(nvidia.__path__[0] + "/"))' 2>/dev/null)
for folder in "$packages"/*/lib "$PWD/$build/lib"; do
  [ -d "$folder" ] && export LD_LIBRARY_PATH="$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
done
$build/tests/on_device true || exit $?
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null
$build/tools/train --version

declare -A seconds result
names=(cuda_device cuda_tasks)
failed=0
run() {  # run <name> <command>: its output goes to <build>/<name>.log
  local name=$1 begin end; shift
  begin=$(date +%s.%N)
  if "$@" >"$build/$name.log" 2>&1; then result[$name]=passed; else result[$name]=FAILED; failed=1; fi
  end=$(date +%s.%N)
  seconds[$name]=$(awk -v a="$begin" -v b="$end" 'BEGIN { printf "%.1f", b - a }')
}
run cuda_device $build/tests/test_device
run cuda_tasks tests/cuda/tasks.sh $build/tools
for test in $build/tests/test_ops_*; do
  [ -x "$test" ] && [ -f "$test" ] || continue
  name=$(basename "$test"); names+=("$name")
  run "$name" "$test"
  if command -v compute-sanitizer >/dev/null; then
    names+=("$name,memcheck")
    run "$name,memcheck" compute-sanitizer --error-exitcode 1 --leak-check no "$test"
  fi
done
printf '\n%-36s %-8s %9s\n' test result seconds
for name in "${names[@]}"; do printf '%-36s %-8s %9s\n' "$name" "${result[$name]}" "${seconds[$name]}"; done
for name in "${names[@]}"; do
  [ "${result[$name]}" = passed ] || { echo; echo "$name:"; grep -E 'ERROR|FAILED|differ|threw|Invalid|=====' "$build/$name.log" | head -n 12; }
done
exit $failed
