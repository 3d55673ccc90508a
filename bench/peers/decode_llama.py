"""llama.cpp on a GGUF file: decode_llama.py FILE THREADS. Requests are

  {"work": "prompt", "length", "reps"}: a prompt, its last token's logits and the best of them
  {"work": "generate", "context", "steps", "streams", "reps"}: greedy tokens after that many; of several streams
    in one batch, in a context that keeps the keys of all in one buffer or, where it is faster, in one for each
  {"work": "first", "length", "reps"}: from the file to the first token of a prompt

each answered with the milliseconds of each repetition."""

import sys
import time

import llama_cpp as L
from lines import serve, times

path, threads = sys.argv[1].encode(), int(sys.argv[2])
silent = L.llama_log_callback(lambda level, text, data: None)  # llama.cpp keeps the pointer: so must we
L.llama_log_set(silent, None)
L.llama_backend_init()
WORDS = 40000
seed = 0


def ids(count):
    """Ids that no prompt before had."""
    global seed
    seed += 1
    return [100 + (i * 7919 + seed * 104729) % WORDS for i in range(count)]


class Context:
    """A model's state: `streams` sequences that are stepped in one batch."""

    def __init__(self, model, streams=1, length=2048, unified=True):
        parameters = L.llama_context_default_params()
        parameters.n_ctx = length
        parameters.n_batch = parameters.n_ubatch = 512
        parameters.n_seq_max = streams
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.flash_attn_type = L.LLAMA_FLASH_ATTN_TYPE_ENABLED
        parameters.kv_unified = unified
        self.context = L.llama_init_from_model(model, parameters)
        self.batch = L.llama_batch_init(512, 0, 1)
        self.greedy = L.llama_sampler_init_greedy()
        self.clear()

    def clear(self):
        L.llama_memory_clear(L.llama_get_memory(self.context), True)
        self.position = 0

    def step(self, rows, *, each_last=True):
        """rows: for each stream its ids, as many of each. Returns the best next id of each stream."""
        batch, n = self.batch, 0
        last = []
        for stream, tokens in enumerate(rows):
            for i, token in enumerate(tokens):
                batch.token[n] = token
                batch.pos[n] = self.position + i
                batch.n_seq_id[n] = 1
                batch.seq_id[n][0] = stream
                batch.logits[n] = i == len(tokens) - 1
                n += 1
            last.append(n - 1)
        batch.n_tokens = n
        if L.llama_decode(self.context, batch):
            raise RuntimeError("llama_decode failed")
        self.position += len(rows[0])
        return [L.llama_sampler_sample(self.greedy, self.context, row) for row in last]

    def free(self):
        L.llama_batch_free(self.batch)
        L.llama_sampler_free(self.greedy)
        L.llama_free(self.context)


def load():
    model = L.llama_model_load_from_file(path, L.llama_model_default_params())
    if not model:
        raise RuntimeError(f"llama.cpp cannot open {path.decode()}")
    return model


def first(length):
    model = load()
    context = Context(model)
    context.step([ids(length)])
    context.free()
    L.llama_model_free(model)


model = None
contexts = {}


def handle(request):
    global model
    work, reps = request["work"], request["reps"]
    if work == "first":
        return {"ms": times(lambda: first(request["length"]), reps)}
    model = model or load()
    streams = request.get("streams", 1)
    key = (streams, request.get("unified", True))
    if key not in contexts:
        contexts[key] = Context(model, streams, 2048, key[1])
    context = contexts[key]

    def prompt():
        context.clear()
        context.step([ids(request["length"])])

    if work == "prompt":
        return {"ms": times(prompt, reps)}
    result = []
    for _ in range(reps):
        context.clear()
        tokens = context.step([ids(request["context"]) for _ in range(streams)])
        begin = time.perf_counter()
        for _ in range(request["steps"]):
            tokens = context.step([[token] for token in tokens])
        result.append((time.perf_counter() - begin) * 1e3)
    return {"ms": result}


serve(f"llama.cpp of llama-cpp-python {L.__version__}", handle)
