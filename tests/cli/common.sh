# What the command line checks share; sourced by the scripts beside it. $1 is the folder of the programs. The script
# works in a temporary folder and ends with the number of its checks; any failure makes its exit code 1.
set -uo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tools=$(cd "$1" && pwd)
model=$source_dir/tests/golden/tiny_bert
folder=$(mktemp -d)
mounted=
failures=0 checks=0
finish() {
  [ -z "$mounted" ] || umount "$folder/small"
  rm -rf "$folder"
  echo "$checks checks, $failures failures"
  if [ "$checks" -gt 0 ] && [ "$failures" -eq 0 ]; then exit 0; fi
  exit 1
}
trap finish EXIT
cd "$folder"

# refuses <text expected in the error> <command...>: exit code 2, one line on stderr beside the messages, that text.
refuses() {
  local expected=$1; shift
  checks=$((checks + 1))
  "$@" >out.txt 2>err.txt </dev/null; local code=$?
  local last; last=$(tail -n 1 err.txt)
  if [ $code -ne 2 ] || ! grep -qF -- "$expected" <<<"$last"; then
    echo "FAILED: ${*##*/}: exit code $code, expected 2 and '$expected', got: $last"; failures=$((failures + 1))
  fi
  if [ -e run/task.json ] || [ -e run/model.safetensors ]; then
    echo "FAILED: ${*##*/}: left something that looks finished"; failures=$((failures + 1))
  fi
  rm -rf run
}
accepts() {
  checks=$((checks + 1))
  "$@" >out.txt 2>err.txt </dev/null || { echo "FAILED: ${*##*/}: exit code $?: $(tail -n 1 err.txt)"; failures=$((failures + 1)); }
}
warns() {  # warns <number> <text>: so many lines of the last program's stderr hold the text
  checks=$((checks + 1))
  [ "$(grep -cF -- "$2" err.txt)" -eq "$1" ] || { echo "FAILED: expected '$2' $1 times on stderr, got: $(head -c 600 err.txt)"; failures=$((failures + 1)); }
}
says() {  # says <text>: in the last program's stdout
  checks=$((checks + 1))
  grep -qF -- "$1" out.txt || { echo "FAILED: expected '$1' on stdout, got: $(head -c 300 out.txt)"; failures=$((failures + 1)); }
}
