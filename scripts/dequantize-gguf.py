#!/usr/bin/env python3
"""Turns a GGUF file of a Llama model into a Hugging Face folder: config.json and model.safetensors in bfloat16.

  dequantize-gguf.py FILE.gguf FOLDER [--dtype bfloat16|float32]      wants the packages numpy and gguf

Block-quantised weights are dequantised to float32 and rounded once. llama.cpp keeps the rows of queries and keys so that neighbours turn
together; Hugging Face turns the first half of a head with the second, so they are put back. The tokenizer is not written: use ids.
"""
import argparse, json, os, struct
import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

LAYER = {'attn_q': 'self_attn.q_proj', 'attn_k': 'self_attn.k_proj', 'attn_v': 'self_attn.v_proj', 'attn_output': 'self_attn.o_proj',
         'attn_norm': 'input_layernorm', 'ffn_norm': 'post_attention_layernorm', 'ffn_gate': 'mlp.gate_proj', 'ffn_up': 'mlp.up_proj', 'ffn_down': 'mlp.down_proj'}
TOP = {'token_embd': 'model.embed_tokens', 'output_norm': 'model.norm', 'output': 'lm_head'}

def name_of(name):
    parts = name.removesuffix('.weight').split('.')
    return f'{TOP[parts[0]]}.weight' if parts[0] != 'blk' else f'model.layers.{parts[1]}.{LAYER[parts[2]]}.weight'

def unpermute(w, heads):
    rows, columns = w.shape
    return w.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)

def bfloat16(x):
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)

if __name__ == '__main__':
    a = argparse.ArgumentParser(); a.add_argument('file'); a.add_argument('folder'); a.add_argument('--dtype', default='bfloat16', choices=['bfloat16', 'float32']); a = a.parse_args()
    reader = GGUFReader(a.file)
    field = lambda name, default=None: reader.fields[name].contents() if name in reader.fields else default
    assert field('general.architecture') == 'llama', 'only Llama models'
    heads, key_heads = field('llama.attention.head_count'), field('llama.attention.head_count_kv')
    tensors = {}
    for t in reader.tensors:
        w = dequantize(t.data, t.tensor_type).astype(np.float32).reshape([int(d) for d in reversed(t.shape)])
        if '.attn_q.' in t.name: w = unpermute(w, heads)
        if '.attn_k.' in t.name: w = unpermute(w, key_heads)
        tensors[name_of(t.name)] = w
    config = dict(architectures=['LlamaForCausalLM'], model_type='llama', vocab_size=tensors['model.embed_tokens.weight'].shape[0], hidden_size=field('llama.embedding_length'),
        intermediate_size=field('llama.feed_forward_length'), num_hidden_layers=field('llama.block_count'), num_attention_heads=heads, num_key_value_heads=key_heads,
        max_position_embeddings=field('llama.context_length'), rms_norm_eps=field('llama.attention.layer_norm_rms_epsilon'), rope_theta=field('llama.rope.freq_base', 10000.0),
        hidden_act='silu', tie_word_embeddings='lm_head.weight' not in tensors, bos_token_id=field('tokenizer.ggml.bos_token_id'), eos_token_id=field('tokenizer.ggml.eos_token_id'), torch_dtype=a.dtype)
    os.makedirs(a.folder, exist_ok=True)
    header, at = {}, 0
    kind, size, encode = ('BF16', 2, bfloat16) if a.dtype == 'bfloat16' else ('F32', 4, lambda x: x)
    for name, w in tensors.items():
        header[name] = dict(dtype=kind, shape=list(w.shape), data_offsets=[at, at := at + w.size * size])
    text = json.dumps(header).encode(); text += b' ' * (-len(text) % 8)
    with open(os.path.join(a.folder, 'model.safetensors'), 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text)
        for w in tensors.values(): f.write(encode(w).tobytes())
    json.dump(config, open(os.path.join(a.folder, 'config.json'), 'w'), indent=1)
    print(f'{len(tensors)} tensors, {at / 1e6:.0f} MB')
