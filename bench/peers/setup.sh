#!/usr/bin/env bash
# Installs the engines that the benches measure beside Heddle, all in pinned versions, into $PEERS_HOME (default:
# ~/.cache/heddle-peers): from pip OpenBLAS, PyTorch, onnxruntime, CTranslate2 and llama.cpp, from Debian 12 BLIS and oneDNN,
# from npm the JavaScript packages. Nothing is installed into the system, so it runs as root and as anybody.
# Needs g++, cmake, binutils, apt-get, Node and Python 3.11 with venv; takes 2 GB and some minutes, of which llama.cpp's
# compilation is most. What is there already is left as it is. Nothing here is needed to build or to test Heddle.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${PEERS_HOME:-$HOME/.cache/heddle-peers}
python=$home/venv/bin/python
mkdir -p "$home/bin" "$home/js" "$home/models"

say() { echo "peers: $*" >&2; }

tools() {
  local missing=() tool
  for tool in g++ cmake readelf npm "${PYTHON:-python3.11}"; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  [ ${#missing[@]} -eq 0 ] && return
  say "these commands are missing: ${missing[*]} (Debian: apt-get install g++ cmake binutils nodejs npm python3.11-venv)"
  return 1
}

python_packages() {
  say 'Python packages'
  [ -x "$python" ] || "${PYTHON:-python3.11}" -m venv "$home/venv"
  "$python" -m pip --disable-pip-version-check --quiet install --no-deps -r "$here/requirements.txt"
  "$python" -c 'import torch' 2>/dev/null || "$python" "$here/stand_ins.py"
}

# debian FOLDER PACKAGE=VERSION…: unpacks Debian packages. apt-get drops root's rights for a download, and then could not
# write here.
debian() {
  local folder=$1 fetched
  shift
  [ -e "$folder/$*" ] && return
  mkdir -p "$folder"
  fetched=$(mktemp -d)
  local download=(apt-get -qq -o APT::Sandbox::User=root download "$@")
  (cd "$fetched" && { "${download[@]}" 2>/dev/null || { apt-get -qq update && "${download[@]}"; }; })
  for package in "$fetched"/*.deb; do dpkg-deb -x "$package" "$folder"; done
  rm -r "$fetched"
  touch "$folder/$*" # all of it is there
}

openblas() {
  say OpenBLAS
  local site
  site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/scipy_openblas32
  gcc -O2 -Wall -Wextra -o "$home/bin/openblas" "$here/gemm_blas.c" -I"$site/include" \
    -L"$site/lib" -lscipy_openblas -Wl,-rpath,"$site/lib"
}

blis() {
  say BLIS
  debian "$home/blis" libblis4-openmp=0.9.0-1 libblis-openmp-dev=0.9.0-1
  local headers libraries
  headers=$(dirname "$(find "$home/blis" -name blis.h)")
  libraries=$(dirname "$(find "$home/blis" -name 'libblis.so.4')")
  gcc -O2 -Wall -Wextra -DBLIS -o "$home/bin/blis" "$here/gemm_blas.c" -isystem "$headers" \
    "$libraries/libblis.so.4" -Wl,-rpath,"$libraries" -lm
}

onednn() {
  say oneDNN
  debian "$home/onednn" libdnnl2=2.6.3-1 libdnnl-dev=2.6.3-1
  local libraries
  libraries=$(dirname "$(find "$home/onednn" -name 'libdnnl.so.2')")
  g++ -O3 -march=native -fopenmp -Wall -Wextra -std=c++17 -o "$home/bin/onednn" "$here/gemm_onednn.cc" \
    -isystem "$home/onednn/usr/include" "$libraries/libdnnl.so.2" -Wl,-rpath,"$libraries"
}

embedding_models() {
  say 'all-MiniLM-L6-v2 as ONNX and for CTranslate2'
  local models=$home/models
  [ -e "$models/minilm.onnx" ] || "$python" -W ignore "$here/export_onnx.py" "$models/minilm.onnx"
  [ -e "$models/minilm-hidden.onnx" ] || "$python" -W ignore "$here/export_onnx.py" "$models/minilm-hidden.onnx" --hidden
  [ -e "$models/minilm-int8.onnx" ] || "$python" -W ignore "$here/quantize_onnx.py" "$models/minilm.onnx" "$models/minilm-int8.onnx"
  [ -e "$models/minilm-ct2" ] || "$python" -W ignore "$here/convert_ctranslate2.py" "$models/minilm-ct2"
}

# Compiled for this very CPU: never from pip's cache, which may come from another machine, and again when the CPU has changed.
llama() {
  local cpu
  cpu=$(grep -m1 -E '^(flags|Features)' /proc/cpuinfo | md5sum | cut -c1-32)
  [ "$(cat "$home/llama.cpu" 2>/dev/null)" = "$cpu" ] && return
  say 'llama.cpp, the longest step'
  CMAKE_ARGS=-DGGML_NATIVE=ON "$python" -m pip --disable-pip-version-check --quiet install --no-deps --no-cache-dir \
    --force-reinstall --no-binary llama-cpp-python llama-cpp-python==0.3.36
  echo "$cpu" >"$home/llama.cpu"
}

language_models() {
  say SmolLM2-135M
  bash "$here/smollm2.sh"
}

javascript_packages() {
  say 'JavaScript packages'
  cp "$here/package.json" "$home/js/"
  # onnxruntime-node carries the CPU's library in the package; its install script would fetch CUDA's.
  (cd "$home/js" && ONNXRUNTIME_NODE_INSTALL=skip npm install --silent --no-package-lock --no-audit --no-fund --ignore-scripts)
}

tools
python_packages
openblas
embedding_models
javascript_packages
# Of these the benches do without one that cannot be had here.
for step in blis onednn llama language_models; do
  set +e
  (set -e && "$step")
  status=$?
  set -e
  [ $status -eq 0 ] || say "no $step"
done
say "ready in $home"
