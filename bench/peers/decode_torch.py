"""PyTorch on a Llama of SmolLM2-135M's size with random weights: decode_torch.py DTYPE THREADS. Requests are

  {"work": "prompt", "length", "reps"}: a prompt, its last token's logits and the best of them
  {"work": "generate", "context", "steps", "reps"}: greedy tokens after that many

each answered with the milliseconds of each repetition."""

import sys
import time

import torch
from lines import serve, times
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

dtype, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
torch.set_grad_enabled(False)
torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=49152,
    hidden_size=576,
    intermediate_size=1536,
    num_hidden_layers=30,
    num_attention_heads=9,
    num_key_value_heads=3,
    max_position_embeddings=2048,
    tie_word_embeddings=True,
)
model = LlamaForCausalLM(config).eval().to(getattr(torch, dtype))


def read(ids, cache):
    logits = model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
    return logits[:, -1].argmax(-1, keepdim=True)


def read_random(length):
    cache = DynamicCache(config=config)
    return read(torch.randint(0, config.vocab_size, (1, length)), cache), cache


def handle(request):
    if request["work"] == "prompt":
        return {"ms": times(lambda: read_random(request["length"]), request["reps"])}
    result = []
    for _ in range(request["reps"]):
        token, cache = read_random(request["context"])
        begin = time.perf_counter()
        for _ in range(request["steps"]):
            token = read(token, cache)
        result.append((time.perf_counter() - begin) * 1e3)
    return {"ms": result}


serve(f"PyTorch {torch.__version__.partition('+')[0]} {dtype}", handle)
