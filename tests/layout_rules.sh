#!/usr/bin/env bash
# Rules of the layout that no compiler checks. Prints what breaks them; exit code 1 if anything does.
set -uo pipefail
shopt -s lastpipe  # rule() at the end of a pipe runs in this shell and can set `broken`
cd "$(dirname "$0")/.."
broken=0
rule() {  # rule <description>, with the offending lines on stdin
  local lines; lines=$(cat)
  [ -z "$lines" ] && return
  echo "layout: $1"; echo "$lines" | head -20; broken=1
}

# Git knows what belongs to the project; a source tree without it is taken as it is.
files=$(git ls-files -co --exclude-standard 2>/dev/null | while read -r file; do [ -f "$file" ] && echo "$file"; done)
[ -n "$files" ] || files=$(find . -name '.?*' -prune -o -path ./build -prune -o -path ./install -prune -o -type f -print | sed 's|^\./||')
sources() {  # sources <folder>...
  local folders; folders=$(IFS='|'; echo "$*")
  grep -E "^($folders)/.*\.(h|cpp|cu|cuh)$" <<<"$files"
}
[ -n "$(sources autograd)" ] || { echo "layout: no source files found"; exit 1; }

# Each layer includes only what is to its right: tools -> tasks -> models -> nn -> autograd.
sources autograd | xargs grep -nE '#include "(nn|models|tasks|tools)/' | rule "autograd/ includes a layer above it"
sources nn | xargs grep -nE '#include "(models|tasks|tools)/' | rule "nn/ includes a layer above it"
sources models | xargs grep -nE '#include "(tasks|tools)/' | rule "models/ includes a layer above it"
sources tasks | xargs grep -nE '#include "tools/' | rule "tasks/ includes tools/"

# The device is looked up in backend/dispatch alone; nobody else switches on it or tests for CUDA.
sources autograd nn models tasks tools | grep -vE '^autograd/(backend/|device\.(h|cpp)$)' |
  xargs grep -nE 'Device::Type::|#if.*CUDA|cuda_runtime' | rule "device switch outside of autograd/backend/"

# The headers of the kernels stay free of the standard library, whose templates would leak instructions of one
# instruction set into code shared with the others.
sources autograd/backend/cpu/kernels | xargs grep -nE '#include <[a-z_]+>$' | rule "C++ library header in a kernel"
# (DW.ref.* is a pointer for unwinding, no code.)
if [ -d build/autograd ] && command -v nm >/dev/null; then
  for isa in avx2 avx512; do
    find build/autograd -path "*sesame_cpu_$isa.dir*" -name '*.o' 2>/dev/null | while read -r object; do
      nm -C --defined-only "$object" | grep -E ' [WVu] ' | grep -vE " (sesame::cpu::$isa::|DW\.ref\.)" | sed "s|^|$object: |"
    done | rule "shared symbol compiled for $isa"
  done
fi

# A file that cannot be read in a sitting is too long.
sources autograd nn models tasks tools tests examples | xargs wc -l | awk '$2 != "total" && $1 > 500' |
  rule "longer than 500 lines"

# Links in the documentation lead somewhere.
grep -E '\.md$' <<<"$files" | while read -r page; do
  grep -oE '\]\([^)# ]+(#[^)]*)?\)' "$page" | sed -E 's/^..|[#)].*//g' | grep -v '://' | while read -r target; do
    [ -e "$(dirname "$page")/$target" ] || echo "$page: $target"
  done
done | rule "dead link"
exit $broken
