"""PyTorch's vectors for texts, to compare with: {"texts"} gives {"vectors", "lengths"}, lengths in tokens."""

import torch
from lines import serve
from minilm import FOLDER, Embedder
from transformers import AutoTokenizer

torch.set_grad_enabled(False)
tokenizer = AutoTokenizer.from_pretrained(FOLDER)
embedder = Embedder().eval()


def handle(request):
    vectors, lengths = [], []
    for text in request["texts"]:  # one by one: no padding can have an influence
        encoded = tokenizer([text], truncation=True, max_length=256, return_tensors="pt")
        lengths.append(encoded["input_ids"].shape[1])
        vectors.append(embedder(**encoded)[0].tolist())
    return {"vectors": vectors, "lengths": lengths}


serve(f"PyTorch {torch.__version__.partition('+')[0]}", handle)
