"""PyTorch's scaled_dot_product_attention as a peer (bench/peer.mjs), float32. Usage: attention.py THREADS"""

import functools
import sys

import torch
from lines import serve, times

torch.set_num_threads(int(sys.argv[1]))
torch.set_grad_enabled(False)
torch.manual_seed(1)


@functools.lru_cache(maxsize=1)
def tensors(heads, length, size):
    return [torch.randn(1, heads, length, size) for _ in range(3)]


def handle(request):
    q, k, v = tensors(request["heads"], request["length"], request["size"])
    call = lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=request["causal"])
    return {"ms": times(call, request["reps"])}


serve(f"PyTorch {torch.__version__.partition('+')[0]} sdpa", handle)
