"""onnxruntime on all-MiniLM-L6-v2 as a peer (embed_batches.py), pooling included. Usage: embed_onnxruntime.py MODEL THREADS"""

import sys

import onnxruntime
from embed_batches import answer, padded
from lines import serve, times

model, threads = sys.argv[1], int(sys.argv[2])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
names = [node.name for node in session.get_inputs()]


def prepare(texts):
    columns = padded(texts)
    return {name: columns[name] for name in names}


def run(feed):
    return session.run(None, feed)[0]


def handle(request):
    return answer(request, prepare, run, lambda feed, vectors: vectors, times)


serve(f"onnxruntime {onnxruntime.__version__}", handle)
