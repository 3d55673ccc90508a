"""The oneDNN that PyTorch carries, a later one than Debian's, as a peer (bench/peer.mjs): x·Wᵀ with the weight packed
beforehand, float32 and bfloat16. Usage: gemm_torch.py THREADS"""

import functools
import re
import sys

import torch
from lines import serve, times

torch.set_num_threads(int(sys.argv[1]))
torch.set_grad_enabled(False)


@functools.lru_cache(maxsize=2)
def product(m, k, n, dtype):
    kind = getattr(torch, dtype)
    x, w = torch.randn(m, k).to(kind), torch.randn(n, k).to(kind)
    try:
        packed = torch.ops.mkldnn._reorder_linear_weight(w, m)
    except RuntimeError as error:
        raise ValueError("no such product on this CPU") from error
    return lambda: torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")


def handle(request):
    if request["form"] != "packed" or request["dtype"] == "int8":
        raise ValueError("no such product")
    return {"ms": times(product(*(request[key] for key in ("m", "k", "n", "dtype"))), request["reps"])}


version = re.search(r"MKL-DNN v([\d.]+)", torch.__config__.show())
serve(f"oneDNN {version[1] if version else '3'} in PyTorch", handle)
