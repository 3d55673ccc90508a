/** A model of the shape of SmolLM2-135M with random weights. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const config = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  vocab_size: 49152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  rope_theta: 1e5,
  tie_word_embeddings: true,
};
export const words = config.vocab_size;
/** Writes the model; bfloat16 of random bits near ±0.02. @returns the folder. */
export function makeModel() {
  const { hidden_size: width, intermediate_size: inner, vocab_size: words } = config;
  const keys = 192;
  const shapes = { 'model.embed_tokens.weight': [words, width], 'model.norm.weight': [width] };
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = {
      'self_attn.q_proj': [width, width],
      'self_attn.k_proj': [keys, width],
      'self_attn.v_proj': [keys, width],
      'self_attn.o_proj': [width, width],
      'mlp.gate_proj': [inner, width],
      'mlp.up_proj': [inner, width],
      'mlp.down_proj': [width, inner],
      input_layernorm: [width],
      post_attention_layernorm: [width],
    };
    for (const [name, shape] of Object.entries(layer))
      shapes[`model.layers.${i}.${name}.weight`] = shape;
  }
  const header = {};
  let elements = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const count = shape.reduce((a, b) => a * b);
    header[name] = { dtype: 'BF16', shape, data_offsets: [2 * elements, 2 * (elements + count)] };
    elements += count;
  }
  const bits = new Uint16Array(elements);
  let state = 1;
  for (let i = 0; i < elements; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bits[i] = (state & 0x8000_0000 ? 0xbc00 : 0x3c00) | ((state >>> 16) & 0xff);
  }
  const text = JSON.stringify(header);
  const json = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const folder = mkdtempSync(join(tmpdir(), 'heddle-decode-'));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const file = Buffer.concat([length, json, Buffer.from(bits.buffer)]);
  writeFileSync(join(folder, 'model.safetensors'), file);
  return folder;
}
