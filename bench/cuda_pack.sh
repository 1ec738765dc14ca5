#!/usr/bin/env bash
# Packs what a machine with a GPU needs to test and time Sesame without packages or a network: programs and tests as built
# here with the libraries they load, a small model, data and the scripts of the other side.
#   bench/cuda_pack.sh [FOLDER]            makes FOLDER/pack.tar.xz (default: build/device)
#   bench/cuda_pack.sh --unpack [FOLDER]   on the other machine; prints the folder it lies in then
# PACK_LIMIT_MB bounds the working tree and the pack together (default: 64); PACK_DATA, PACK_PEERS and PACK_MODEL name the
# folders of the data sets, of the peers' scripts and of the model.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = --unpack ]; then
  folder=${2:-build/device} to=${2:-build/device}-unpacked
  sum=$(cksum <"$folder/pack.tar.xz")
  if [ "$(cat "$to/.sum" 2>/dev/null)" != "$sum" ]; then
    rm -rf "$to"
    mkdir -p "$to"
    tar -C "$to" -xJf "$folder/pack.tar.xz" 2>/dev/null || python3 -m tarfile -e "$folder/pack.tar.xz" "$to"
    echo "$sum" >"$to/.sum"
  fi
  echo "$to"
  exit 0
fi

folder=${1:-build/device}
build=build/device-build
data=${PACK_DATA:-../shared/data} peers=${PACK_PEERS:-../shared/peers} model=${PACK_MODEL:-build/models/minilm}
stop() { echo "cuda_pack.sh: $*" >&2; exit 2; }
for path in "$data/sst2/train.tsv" "$peers/dense_bert.py"; do [ -e "$path" ] || stop "there is no $path"; done
[ -f "$model/model.safetensors" ] || tools/setup.sh --model

# Without MPI: its libraries cannot be carried. DT_RPATH, not DT_RUNPATH: libraries that are opened find theirs there too.
mkdir -p $build
# shellcheck disable=SC2016  # $ORIGIN is for the loader
cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Release -DSESAME_CUDA=ON -DSESAME_MPI=OFF -DSESAME_TESTS=ON -DSESAME_TOOLS=ON \
  -DSESAME_TEST_SOURCE_DIR=. '-DCMAKE_BUILD_RPATH=$ORIGIN/../lib' -DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags \
  >$build/configure.log 2>&1 || { cat $build/configure.log; exit 1; }
op_tests=()
for source in tests/test_ops_*.cpp; do op_tests+=("$(basename "$source" .cpp)"); done
ninja -C $build programs device_tests >$build/ninja.log ||
  { tail -n 20 $build/ninja.log; exit 1; }

room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
mkdir -p "$room"/{tools,tests,lib,peers,data/sst2,data/mrpc,data/squad}
for name in train predict evaluate bench; do strip -o "$room/tools/$name" $build/tools/$name; done
for name in on_device test_{device,recorded,optimizer_step,update_step,later} "${op_tests[@]}"; do strip -o "$room/tests/$name" $build/tests/"$name"; done

# Libraries beyond those that every system with a C++ compiler has. OpenBLAS is opened at run time, by its path or this name.
openblas=$(sed -n 's/^SESAME_OPENBLAS:[A-Z]*=//p' $build/CMakeCache.txt)
cp -L "$openblas" "$room/lib/libopenblas.so.0"
ldd "$room"/tools/train "$room"/tests/test_device "$openblas" | awk '$2 == "=>" && $3 ~ "^/" { print $3 }' | sort -u |
  grep -vE '/(ld-linux.*|lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s))\.so' | while read -r library; do
  cp -L "$library" "$room/lib/"
done

cp "$peers"/*.py "$room/peers/"
python3 bench/pack_data.py half "$model" "$room/model"
python3 bench/pack_data.py table "$data/sst2/train.tsv" "$room/data/sst2/train.tsv" 20000
for name in sst2/dev mrpc/train mrpc/dev; do python3 bench/pack_data.py table "$data/$name.tsv" "$room/data/$name.tsv" 20000; done
squad=$data/squad/by_article_train.json
[ -e "$squad" ] || squad=$squad.gz
python3 bench/pack_data.py squad "$squad" "$room/data/squad/train.json" 2000

# Programs hold the same kernels and libraries: a window over all of them keeps one copy.
mkdir -p "$folder"
rm -f "$folder/pack.tar.xz"
tar -C "$room" --sort=name --owner=0 --group=0 -cf - data lib model peers tests tools |
  xz -T1 --lzma2=preset=4,dict=64MiB >"$folder/pack.tar.xz.part"
mv "$folder/pack.tar.xz.part" "$folder/pack.tar.xz"

tree=$(git ls-files -co --exclude-standard -z | du -cb --files0-from=- 2>/dev/null | tail -n 1 | cut -f 1)
pack=$(stat -c %s "$folder/pack.tar.xz")
limit=$((${PACK_LIMIT_MB:-64} * 1024 * 1024))
awk -v t="$tree" -v p="$pack" -v l="$limit" 'BEGIN {
  printf "working tree %.1f MB, pack %.1f MB, limit %.1f MB\n", t / 1048576, p / 1048576, l / 1048576 }'
[ $((tree + pack)) -le "$limit" ] || stop "working tree and pack together are beyond the limit: carry less"
