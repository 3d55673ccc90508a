"""PyTorch on all-MiniLM-L6-v2 as a peer (embed_batches.py), and what vectors are compared with: in float32, with "alone", each
text by itself, so that no padding can have an influence. Usage: embed_torch.py float32|bfloat16 THREADS"""

import sys

import torch
from embed_batches import answer, padded
from lines import serve, times
from minilm import Embedder

torch.set_num_threads(int(sys.argv[2]))
torch.set_grad_enabled(False)
embedder = Embedder().to(getattr(torch, sys.argv[1])).eval()


def prepare(texts):
    return {name: torch.from_numpy(column) for name, column in padded(texts).items()}


def run(batch):
    return embedder(**batch)


def handle(request):
    if request.get("alone"):
        return {"vectors": [run(prepare([text]))[0].tolist() for text in request["texts"]]}
    return answer(request, prepare, run, lambda batch, vectors: vectors.float().tolist(), times)


serve(f"PyTorch {torch.__version__.partition('+')[0]}", handle)
