#!/usr/bin/env bash
# Installs the build tree $1 into a folder of its own and builds and runs the project in examples/outside against it.
# $2 is the cmake to use.
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/.." && pwd)
build=$1 cmake=${2:-cmake}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$cmake" --install "$build" --prefix "$folder/sesame" >"$folder/install.log" || { cat "$folder/install.log"; exit 1; }
cp -r "$source_dir/examples/outside" "$folder/outside"  # nothing may be found beside it
generator=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$build/CMakeCache.txt")
"$cmake" -S "$folder/outside" -B "$folder/build" -G "$generator" -DCMAKE_PREFIX_PATH="$folder/sesame"
"$cmake" --build "$folder/build"

"$folder/build/check_cosine"
"$folder/build/train_cosine" | tee "$folder/train.log"
grep -q '^step 100 ' "$folder/train.log"
model=${SESAME_MINILM:-$source_dir/build/models/minilm}
if [ -f "$model/model.safetensors" ]; then
  "$folder/build/train_siamese" "$model" "$source_dir/examples/data/pairs" "$folder/siamese"
else
  echo "SKIPPED: train_siamese (no pretrained model in $model; tools/setup.sh --model fetches it)"
fi

# Every installed header compiles as <sesame/...>, with nothing but what was installed.
headers=$(cd "$folder/sesame/include" && find sesame -name '*.h' | sort)
for header in $headers; do echo "#include <$header>"; done >"$folder/all.cpp"
cat >"$folder/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(Headers LANGUAGES CXX)
find_package(Sesame REQUIRED COMPONENTS autograd nn models tasks)
add_library(headers OBJECT all.cpp)
target_link_libraries(headers PRIVATE Sesame::tasks)
END
"$cmake" -S "$folder" -B "$folder/headers" -G "$generator" -DCMAKE_PREFIX_PATH="$folder/sesame" >/dev/null
"$cmake" --build "$folder/headers"

# The installed programs run from where they are, with the OpenMP build of OpenBLAS.
if [ -x "$folder/sesame/bin/sesame-train" ]; then
  "$folder/sesame/bin/sesame-train" --version | tee "$folder/version.log"
  grep -q 'OpenBLAS.*OpenMP' "$folder/version.log"
fi
