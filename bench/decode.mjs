/**
 * Prompts and generated tokens of a language model of the shape of SmolLM2-135M, with random weights: what they are does not
 * change the work. No peer runs beside it here.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { addon } from './addon.mjs';
import { alternate } from './alternate.mjs';
import { lateWhile } from './requests/callers.mjs';
import { row } from './row.mjs';

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

/** Writes the model; bfloat16 of random bits near ±0.02. @returns the folder. */
function makeModel() {
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

const peer = { name: '', reason: 'no peer in this bench' };
let seed = 0;
/** Ids that no prompt before had, so that nothing of them is in the cache. */
const ids = (count) => {
  seed++;
  return Array.from({ length: count }, (_, i) => (i * 7919 + seed * 104729) % config.vocab_size);
};

export async function bench({ quick, threads = Math.min(2, availableParallelism()), log }) {
  const { load } = await import('../dist/index.mjs');
  const folder = makeModel();
  const results = [];
  try {
    for (const dtype of quick ? ['bfloat16'] : ['bfloat16', 'float32']) {
      const model = await load(folder, { dtype });
      addon().setThreads(threads);
      results.push(...(await ofModel(model, { dtype, threads, quick, log })));
      model.dispose();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return results;
}

async function ofModel(model, { dtype, threads, quick, log }) {
  const results = [];
  const measure = async (kase, tokens, once) => {
    const ours = async (reps) => {
      const times = [];
      for (let i = 0; i < reps; i++) times.push(await once());
      return times;
    };
    const result = await alternate({ ours, theirs: undefined, quick });
    const common = { name: 'decode', kase, threads, unit: 'tokens/s', amount: 1000 * tokens };
    results.push({ ...row({ ...common, result, peer }), dtype });
    log(`${kase}, ${dtype}`);
  };
  for (const length of [128, 512]) {
    await measure(`prompt of ${length}`, length, async () => {
      const begin = performance.now();
      await model.generate({ inputIds: ids(length) }, { maxNewTokens: 1, eosTokenId: null });
      return performance.now() - begin;
    });
  }
  const steps = quick ? 8 : 32;
  /** Milliseconds of writing, from the first token of each of `streams` texts on. */
  const writing = async (streams, length) => {
    let begin = 0;
    let first = 0;
    const write = async () => {
      const options = { maxNewTokens: steps + 1, eosTokenId: null };
      let count = 0;
      for await (const _ of model.stream({ inputIds: ids(length) }, options)) {
        if (count++ > 0) continue;
        first++;
        if (first === streams) begin = performance.now();
      }
    };
    await Promise.all(Array.from({ length: streams }, write));
    return performance.now() - begin;
  };
  await measure('generating after 16', steps, () => writing(1, 16));
  await measure('generating after 512', steps, () => writing(1, 512));
  await measure('8 streams', 8 * steps, () => writing(8, 16));
  const late = await lateWhile(() => writing(4, 16), quick ? 1 : 3);
  const shape = { result: { ours: 1, theirs: null, runs: 1, spread: 0 }, peer, threads };
  const kase = '5 ms timer late by, max, 4 streams';
  results.push({ ...row({ name: 'decode', kase, unit: 'ms', amount: late, ...shape }), dtype });
  return results;
}
