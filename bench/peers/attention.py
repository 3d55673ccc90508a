"""PyTorch's scaled_dot_product_attention as a peer (bench/peer.mjs), float32, forward or backward. Usage: attention.py THREADS"""

import functools
import sys
import time

import torch
from lines import serve, times

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(1)
attend = torch.nn.functional.scaled_dot_product_attention


@functools.lru_cache(maxsize=1)
def tensors(heads, length, size):
    return [torch.randn(1, heads, length, size) for _ in range(4)]


def backward(q, k, v, gradient, causal):
    """Milliseconds of the gradient alone."""
    with torch.enable_grad():
        inputs = [x.detach().requires_grad_() for x in (q, k, v)]
        output = attend(*inputs, is_causal=causal)
        begin = time.perf_counter()
        torch.autograd.grad(output, inputs, gradient)
        return (time.perf_counter() - begin) * 1e3


def handle(request):
    q, k, v, gradient = tensors(request["heads"], request["length"], request["size"])
    causal, reps = request["causal"], request["reps"]
    if request["backward"]:
        return {"ms": [backward(q, k, v, gradient, causal) for _ in range(reps)]}
    with torch.no_grad():
        return {"ms": times(lambda: attend(q, k, v, is_causal=causal), reps)}


serve(f"PyTorch {torch.__version__.partition('+')[0]} sdpa", handle)
