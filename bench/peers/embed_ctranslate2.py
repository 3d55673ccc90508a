"""CTranslate2 on all-MiniLM-L6-v2 as a peer (embed_batches.py); its pooling is not timed.
Usage: embed_ctranslate2.py MODEL float32|int8 THREADS"""

import os
import sys

import ctranslate2
import numpy
from embed_batches import answer, ids_of
from lines import serve, times

model, kind, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
encoder = ctranslate2.Encoder(model, device="cpu", compute_type=kind, intra_threads=threads)


def run(ids):
    return numpy.asarray(encoder.forward_batch(ids).last_hidden_state)


def pool(ids, hidden):
    for row, states in zip(ids, hidden):
        mean = states[: len(row)].mean(0)
        yield mean / numpy.linalg.norm(mean)


isa = os.environ.get("CT2_FORCE_CPU_ISA")
name = f"CTranslate2 {ctranslate2.__version__}" + (f" ({isa})" if isa else "")
serve(name, lambda request: answer(request, ids_of, run, pool, times))
