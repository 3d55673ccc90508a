"""One step of interacting particles in NumPy as a peer (bench/peer.mjs), float32, the BLAS on all threads it is given."""

import functools

import numpy as np
from lines import serve, times

BETA = np.float32(1)


@functools.lru_cache(maxsize=1)
def positions(n, d):
    x = np.random.default_rng(1).standard_normal((n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def project(x, y):
    y -= (x * y).sum(1, keepdims=True) * x
    return y


def unblocked(x):
    """The definition, n × n weights and all."""
    weights = np.exp(BETA * (x @ x.T))
    weights /= weights.sum(1, keepdims=True)
    return project(x, weights @ x)


def blocked(x, rows):
    """The same in blocks of rows and in place. Unit vectors keep the exponents small, so no maximum is taken away."""
    keys = np.ascontiguousarray(x.T) * BETA
    y = np.empty_like(x)
    block = np.empty((rows, len(x)), np.float32)
    for first in range(0, len(x), rows):
        some = slice(first, min(first + rows, len(x)))
        weights = block[: some.stop - first]
        np.matmul(x[some], keys, out=weights)
        np.exp(weights, out=weights)
        np.matmul(weights, x, out=y[some])
        y[some] /= weights.sum(1, keepdims=True)
    return project(x, y)


@functools.lru_cache
def quickest(n, d):
    x = positions(n, d)
    sizes = [64, 128, 256, 512, 1024, 2048]
    return min(sizes, key=lambda rows: min(times(lambda: blocked(x, rows), 1)))


def handle(request):
    n, d = request["n"], request["d"]
    x = positions(n, d)
    if request["form"] == "unblocked":
        return {"ms": times(lambda: unblocked(x), request["reps"])}
    rows = quickest(n, d)
    return {"ms": times(lambda: blocked(x, rows), request["reps"])}


serve(f"NumPy {np.__version__}", handle)
