"""Exports all-MiniLM-L6-v2 to ONNX, float32. Usage: export_onnx.py FILE [--hidden]

With pooling and normalisation, or with --hidden the last hidden states alone, as checkpoints for @huggingface/transformers are.
"""

import sys

import torch
from minilm import Embedder

names = ["input_ids", "attention_mask", "token_type_ids"]


class Hidden(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = Embedder().model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(input_ids, attention_mask, token_type_ids).last_hidden_state


hidden = "--hidden" in sys.argv
output = "last_hidden_state" if hidden else "embedding"
ids = torch.randint(1000, 20000, (2, 16))
example = (ids, torch.ones_like(ids), torch.zeros_like(ids))
with torch.no_grad():
    torch.onnx.export(
        (Hidden() if hidden else Embedder()).eval(),
        example,
        sys.argv[1],
        input_names=names,
        output_names=[output],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in [*names, *([output] if hidden else [])]},
        opset_version=17,
        dynamo=False,
    )
