#!/usr/bin/env bash
# Installs the engines that the benches measure beside Heddle, into $PEERS_HOME (default: ~/.cache/heddle-peers).
# Needs gcc, binutils, Node and Python 3.11 with venv; takes 1.5 GB. What is there already is left as it is.
# Nothing here is needed to build or to test Heddle.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${PEERS_HOME:-$HOME/.cache/heddle-peers}
mkdir -p "$home/bin" "$home/js" "$home/models"

echo 'peers: Python packages' >&2
python=$home/venv/bin/python
[ -x "$python" ] || "${PYTHON:-python3.11}" -m venv "$home/venv"
"$python" -m pip --disable-pip-version-check --quiet install --no-deps -r "$here/requirements.txt"
"$python" -c 'import torch' 2>/dev/null || "$python" "$here/stand_ins.py"

echo 'peers: OpenBLAS, BLIS, oneDNN' >&2
openblas=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/scipy_openblas32
gcc -O2 -Wall -Wextra -o "$home/bin/openblas" "$here/gemm_blas.c" -I"$openblas/include" \
  -L"$openblas/lib" -lscipy_openblas -Wl,-rpath,"$openblas/lib"
# Of Debian 12, in these versions; the benches do without one that is missing.
if [ "$(dpkg-query -W -f '${Version}' libblis-openmp-dev 2>/dev/null)" = 0.9.0-1 ]; then
  blis=$(dirname "$(dpkg -L libblis-openmp-dev | grep '/blis\.h$')")
  gcc -O2 -Wall -Wextra -DBLIS -o "$home/bin/blis" "$here/gemm_blas.c" -isystem "$blis" \
    -L"${blis/include/lib}" -Wl,-rpath,"${blis/include/lib}" -lblis -lm
else
  echo 'peers: no BLIS: apt-get install libblis-openmp-dev=0.9.0-1' >&2
fi
if [ "$(dpkg-query -W -f '${Version}' libdnnl-dev 2>/dev/null)" = 2.6.3-1 ]; then
  g++ -O2 -Wall -Wextra -std=c++17 -o "$home/bin/onednn" "$here/gemm_onednn.cc" -ldnnl
else
  echo 'peers: no oneDNN: apt-get install libdnnl-dev=2.6.3-1' >&2
fi

echo 'peers: all-MiniLM-L6-v2 as ONNX' >&2
[ -e "$home/models/minilm.onnx" ] || "$python" -W ignore "$here/export_onnx.py" "$home/models/minilm.onnx"

hidden=$home/models/minilm-hidden.onnx
[ -e "$hidden" ] || "$python" -W ignore "$here/export_onnx.py" "$hidden" --hidden

echo 'peers: SmolLM2-135M' >&2
bash "$here/smollm2.sh"

echo 'peers: JavaScript packages' >&2
cp "$here/package.json" "$home/js/"
# onnxruntime-node carries the CPU's library in the package; its install script would fetch CUDA's.
(cd "$home/js" && ONNXRUNTIME_NODE_INSTALL=skip npm install --silent --no-package-lock --no-audit --no-fund --ignore-scripts)
echo "peers: ready in $home" >&2
