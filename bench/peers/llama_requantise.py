"""Makes a GGUF file of another kind with llama.cpp's own quantiser: llama_requantise.py FROM TO bfloat16|float32.

For speed only: what the first kind lost stays lost."""

import os
import sys

import llama_cpp

KINDS = {"bfloat16": llama_cpp.LLAMA_FTYPE_MOSTLY_BF16, "float32": llama_cpp.LLAMA_FTYPE_ALL_F32}

source, target, kind = sys.argv[1:]
parameters = llama_cpp.llama_model_quantize_default_params()
parameters.ftype = KINDS[kind]
parameters.allow_requantize = True
part = target + ".part"
if llama_cpp.llama_model_quantize(source.encode(), part.encode(), parameters):
    sys.exit(f"llama.cpp could not make {target}")
os.rename(part, target)
