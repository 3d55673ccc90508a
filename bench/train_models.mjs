/** The two models of bench/train.mjs, as training steps of Heddle over batches of random ids. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The shape of GPT-2, small: 13.9 million parameters. */
export const gpt2 = { layers: 6, width: 384, heads: 6, context: 256, words: 8192, batch: 8 };

/** The base model of Vaswani et al. 2017, table 3, with its vocabulary. */
export const base = { layers: 6, width: 512, heads: 8, inner: 2048, words: 37000, tokens: 2048 };

/** Floating-point operations of a step: 6 a weight and token, and causal attention, whose backward is 2.5 times its forward. */
export function gpt2Flops({ layers, width, context, words, batch } = gpt2) {
  const weights = layers * 12 * width * width + words * width;
  return 6 * weights * batch * context + layers * 2 * context * context * width * batch * 3.5;
}

/** Numbers that look random and are the same every time. */
function lcg(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Writes a folder as Hugging Face's, with random weights. */
export function writeGpt2(folder) {
  const { layers, width, heads, context, words } = gpt2;
  const shapes = { 'wte.weight': [words, width], 'wpe.weight': [context, width] };
  const norm = (name) =>
    Object.assign(shapes, { [`${name}.weight`]: [width], [`${name}.bias`]: [width] });
  for (let i = 0; i < layers; i++) {
    norm(`h.${i}.ln_1`);
    norm(`h.${i}.ln_2`);
    const linear = (name, from, to) =>
      Object.assign(shapes, {
        [`h.${i}.${name}.weight`]: [from, to],
        [`h.${i}.${name}.bias`]: [to],
      });
    linear('attn.c_attn', width, 3 * width);
    linear('attn.c_proj', width, width);
    linear('mlp.c_fc', width, 4 * width);
    linear('mlp.c_proj', 4 * width, width);
  }
  norm('ln_f');
  const header = {};
  let elements = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const end = elements + shape.reduce((a, b) => a * b);
    header[`transformer.${name}`] = { dtype: 'F32', shape, data_offsets: [4 * elements, 4 * end] };
    elements = end;
  }
  const values = new Float32Array(elements);
  const random = lcg(1);
  for (let i = 0; i < elements; i++) values[i] = (random() - 0.5) * 0.07;
  let at = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const count = shape.reduce((a, b) => a * b);
    if (shape.length === 1) values.fill(/ln_.*weight/.test(name) ? 1 : 0, at, at + count);
    at += count;
  }
  const config = {
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    vocab_size: words,
    n_positions: context,
    n_embd: width,
    n_layer: layers,
    n_head: heads,
    activation_function: 'gelu_new',
  };
  const text = JSON.stringify(header);
  const json = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const file = Buffer.concat([length, json, Buffer.from(values.buffer)]);
  writeFileSync(join(folder, 'model.safetensors'), file);
}

/** Packed sequences as inputs, and what a run feeds them. */
class Sequences {
  constructor({ SymbolicDim, input }, name, bounds = new SymbolicDim('bounds')) {
    this.name = name;
    this.rows = new SymbolicDim(`${name} rows`);
    this.bounds = bounds;
    this.ids = input(`${name} ids`, [this.rows], 'int32');
    this.offsets = input(`${name} offsets`, [this.bounds], 'int32');
    this.positions = input(`${name} positions`, [this.rows], 'int32');
  }

  batch(lengths, words, random) {
    const offsets = [0];
    for (const length of lengths) offsets.push(offsets.at(-1) + length);
    const rows = offsets.at(-1);
    return {
      feeds: {
        [`${this.name} ids`]: Int32Array.from({ length: rows }, () => random() * words),
        [`${this.name} offsets`]: Int32Array.from(offsets),
        [`${this.name} positions`]: Int32Array.from(lengths.flatMap((n) => [...Array(n).keys()])),
      },
      sizes: new Map([
        [this.rows, rows],
        [this.bounds, offsets.length],
      ]),
    };
  }
}

/** @returns `run()`, one step, and `dispose()`. */
export async function gpt2Step(heddle, folder) {
  const { loadTrainable, TrainingStep, adamW, input, ops } = heddle;
  const model = await loadTrainable(folder);
  const text = new Sequences(heddle, 'text');
  const labels = input('labels', [text.rows], 'int32');
  const weights = input('weights', [text.rows, 1], 'float32');
  const { logits } = model.forward(text);
  const loss = ops.columnSums(ops.crossEntropy(logits, labels), weights);
  const { feeds, sizes } = text.batch(Array(gpt2.batch).fill(gpt2.context), gpt2.words, lcg(2));
  const rows = gpt2.batch * gpt2.context;
  const random = lcg(3);
  feeds.labels = Int32Array.from({ length: rows }, () => random() * gpt2.words);
  feeds.weights = new Float32Array(rows).fill(1 / rows);
  const groups = [{ parameters: model.parameters, weightDecay: 0.1 }];
  const step = await TrainingStep.create({ loss, groups, optimizer: adamW(), capacities: sizes });
  let count = 0;
  return {
    run: () => step.run({ learningRate: 1e-3, step: ++count }, feeds, sizes),
    dispose() {
      step.dispose();
      model.dispose();
    },
  };
}

/** @param pairs for each batch the lengths [source, target]. @returns `run(batch)`, one step, and `dispose()`. */
export async function baseStep(heddle, batches) {
  const { nn, TrainingStep, adamW, input, ops } = heddle;
  const scope = nn.Scope.random(1);
  const { words, width, heads, inner, layers } = base;
  const model = new nn.Transformer({
    vocabSize: words,
    dModel: width,
    numHeads: heads,
    dFeedForward: inner,
    numEncoderLayers: layers,
    numDecoderLayers: layers,
    scope,
  });
  const source = new Sequences(heddle, 'source');
  const target = new Sequences(heddle, 'target', source.bounds);
  const labels = input('labels', [target.rows], 'int32');
  const weights = input('weights', [target.rows, 1], 'float32');
  const losses = ops.crossEntropy(model.forward(source, target), labels, { smoothing: 0.1 });
  const random = lcg(4);
  const ready = batches.map((pairs) => {
    const from = source.batch(
      pairs.map(([n]) => n),
      words,
      random,
    );
    const to = target.batch(
      pairs.map(([, n]) => n),
      words,
      random,
    );
    const rows = to.feeds['target ids'].length;
    return {
      feeds: {
        ...from.feeds,
        ...to.feeds,
        labels: Int32Array.from({ length: rows }, () => random() * words),
        weights: new Float32Array(rows).fill(1 / rows),
      },
      sizes: new Map([...from.sizes, ...to.sizes]),
    };
  });
  const capacities = new Map();
  for (const { sizes } of ready) {
    for (const [dim, size] of sizes) capacities.set(dim, Math.max(size, capacities.get(dim) ?? 0));
  }
  const groups = [{ parameters: scope.parameters }];
  const loss = ops.columnSums(losses, weights);
  const optimizer = adamW({ betas: [0.9, 0.98], epsilon: 1e-9 });
  const step = await TrainingStep.create({ loss, groups, optimizer, capacities });
  let count = 0;
  return {
    run(batch) {
      const { feeds, sizes } = ready[batch];
      return step.run({ learningRate: 1e-4, step: ++count }, feeds, sizes);
    },
    dispose() {
      step.dispose();
      scope.parameters.dispose();
    },
  };
}
