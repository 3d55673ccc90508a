"""Training steps in PyTorch as a peer (bench/peer.mjs). Usage: train.py THREADS {eager|compile|bfloat16}

Requests: {"model": "gpt2", "batch": texts, "reps": n}; {"model": "base", "batches": [[[source, target], …], …], "reps": n}, lengths of
sentences, padded to the longest of a batch; {"model": "memory"}, the peak beyond the import of torch in MiB.
"""

import math
import re
import sys
import time
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from lines import serve, times

# Not getrusage's: a child inherits what its parent had when it forked.
peak = lambda: int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
imported = peak()
threads, mode = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(threads)
torch.manual_seed(0)

LAYERS, WIDTH, HEADS, CONTEXT, WORDS, BATCH = 6, 384, 6, 256, 8192, 8


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, WIDTH)
        x = x + self.out(attended)
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Gpt2(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, ids, labels):
        x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return F.cross_entropy(F.linear(self.norm(x), self.words.weight).view(-1, WORDS), labels.view(-1))


class Base(nn.Module):
    def __init__(self, words=37000, width=512):
        super().__init__()
        self.width = width
        self.words = nn.Embedding(words, width)
        nn.init.normal_(self.words.weight, std=width**-0.5)
        self.bias = nn.Parameter(torch.zeros(words))
        self.body = nn.Transformer(width, 8, 6, 6, 2048, dropout=0.0, batch_first=True)
        place = torch.arange(512)[:, None] / 10000 ** (torch.arange(0, width, 2) / width)
        self.register_buffer("places", torch.stack([place.sin(), place.cos()], -1).view(512, width))

    def embed(self, ids):
        return self.words(ids) * math.sqrt(self.width) + self.places[: ids.shape[1]]

    def forward(self, source, target, labels, hidden, blind):
        causal = torch.triu(torch.ones(target.shape[1], target.shape[1], dtype=torch.bool), 1)
        y = self.body(
            self.embed(source),
            self.embed(target),
            tgt_mask=causal,
            src_key_padding_mask=hidden,
            tgt_key_padding_mask=blind,
            memory_key_padding_mask=hidden,
            tgt_is_causal=True,
        )
        logits = F.linear(y, self.words.weight, self.bias)
        return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, label_smoothing=0.1)


def stepper(model, **options):
    optimizer = torch.optim.AdamW(model.parameters(), fused=True, **options)
    forward = torch.compile(model) if mode == "compile" else model

    def step(*batch):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=mode == "bfloat16"):
            loss = forward(*batch)
        loss.backward()
        optimizer.step()

    return step


def gpt2(batch):
    ids, labels = torch.randint(0, WORDS, (batch, CONTEXT)), torch.randint(0, WORDS, (batch, CONTEXT))
    step = stepper(Gpt2(), lr=1e-3, weight_decay=0.1)
    return lambda: step(ids, labels)


def padded(pairs, side):
    lengths = torch.tensor([pair[side] for pair in pairs])
    return torch.arange(int(lengths.max())) >= lengths[:, None]


def base_batch(pairs):
    hidden, blind = padded(pairs, 0), padded(pairs, 1)
    labels = torch.randint(0, 37000, blind.shape).masked_fill(blind, -100)
    return torch.randint(0, 37000, hidden.shape), torch.randint(0, 37000, blind.shape), labels, hidden, blind


steps = {}


def handle(request):
    if request["model"] == "memory":
        step = gpt2(BATCH)
        for _ in range(3):
            step()
        return {"mib": peak() - imported}
    if request["model"] not in steps:
        steps.clear()
        steps[request["model"]] = gpt2(request["batch"]) if request["model"] == "gpt2" else stepper(Base(), lr=1e-4, betas=(0.9, 0.98), eps=1e-9)
    step = steps[request["model"]]
    if request["model"] == "gpt2":
        return {"ms": times(step, request["reps"])}
    result = []
    for i in range(request["reps"]):
        batch = base_batch(request["batches"][(request["first"] + i) % len(request["batches"])])
        begin = time.perf_counter()
        step(*batch)
        result.append((time.perf_counter() - begin) * 1e3)
    return {"ms": result}


serve(f"PyTorch {torch.__version__.partition('+')[0]} {mode}", handle)
