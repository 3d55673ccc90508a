"""Exports all-MiniLM-L6-v2 with pooling and normalisation to ONNX, float32. Usage: export_onnx.py FILE"""

import sys

import torch
from minilm import Embedder

names = ["input_ids", "attention_mask", "token_type_ids"]
ids = torch.randint(1000, 20000, (2, 16))
example = (ids, torch.ones_like(ids), torch.zeros_like(ids))
with torch.no_grad():
    torch.onnx.export(
        Embedder().eval(),
        example,
        sys.argv[1],
        input_names=names,
        output_names=["embedding"],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
        opset_version=17,
        dynamo=False,
    )
