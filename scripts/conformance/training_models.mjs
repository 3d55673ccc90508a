/**
 * The models of training runs: their loss as a graph over batches of any size, and which of our parameters stands for which
 * tensor of PyTorch's.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { capacitiesOf, Loss, PackedInput } from '../training_inputs.mjs';
import { readTensors } from './models.mjs';

/** A model's way forward as the run has it: without dropout, in float32 unless it says otherwise. */
const forward = ({ nn }, { dtype }, body) => nn.trainMode(body, { dropout: 0, dtype });

/** A Hugging Face decoder: the logits of each token are held against the token after it. */
export async function decoderRun(heddle, folder, run) {
  const model = await heddle.loadTrainable(folder);
  const packed = new PackedInput(heddle, 'text');
  const { logits } = forward(heddle, run, () => model.forward(packed));
  const loss = new Loss(heddle, logits, packed.rows, 0);
  const batches = run.batches.map(({ input_ids: ids, attention_mask: mask, labels = ids }) => {
    const length = (row) => (mask ? mask[row].filter(Boolean).length : ids[row].length);
    const { feeds, sizes } = packed.batch(ids.map((row, i) => row.slice(0, length(i) - 1)));
    const next = loss.feeds(labels.map((row, i) => row.slice(1, length(i))));
    return { feeds: { ...feeds, ...next }, sizes };
  });
  const parameters = [...model.parameters];
  // Where each tensor begins in its file: parameters may be parts of one, the first at its beginning.
  const starts = new Map();
  for (const { name, source } of parameters) {
    const { offset } = source.range;
    starts.set(name, Math.min(offset, starts.get(name) ?? offset));
  }
  return {
    loss: loss.tensor,
    parameters,
    batches,
    capacities: capacitiesOf(batches),
    goldenOf({ name, shape, source }, golden) {
      const tensor = golden.get(name);
      if (!tensor) throw new Error(`no tensor ${name} among ${[...golden.keys()].join(', ')}`);
      const { data } = tensor;
      if (!source.transposed) {
        const first = (source.range.offset - starts.get(name)) / Float32Array.BYTES_PER_ELEMENT;
        return { name, values: data.subarray(first, first + shape.reduce((a, b) => a * b, 1)) };
      }
      const [outputs, inputs] = shape;
      const at = (i) => data[(i % inputs) * outputs + Math.floor(i / inputs)];
      return { name, values: Float32Array.from(data, (_, i) => at(i)) };
    },
    /** The middle third of GPT-2's bias of queries, keys and values is that of the keys. */
    isAtRest: ({ name, shape: [count] }, i) =>
      name.endsWith('c_attn.bias') && Math.floor((3 * i) / count) === 1,
    dispose: () => model.dispose(),
  };
}

/** The encoder–decoder of Vaswani et al., whose output takes the embedding's weight. */
export async function encoderDecoderRun(heddle, folder, run) {
  const { vocab, d_model: dModel, heads, ff, layers, pad, ln_eps: epsilon } = run.model;
  const initial = readTensors(await readFile(join(folder, 'init.safetensors')));
  const parameters = new heddle.Parameters({
    has: () => true,
    create(name, shape) {
      const data = Float32Array.from(valuesOf(name, initial).values);
      return new heddle.State(name, shape, 'float32', { kind: 'data', data });
    },
  });
  const model = new heddle.nn.Transformer({
    vocabSize: vocab,
    dModel,
    numHeads: heads,
    dFeedForward: ff,
    numEncoderLayers: layers,
    numDecoderLayers: layers,
    epsilon,
    scope: new heddle.nn.Scope(parameters),
  });
  const source = new PackedInput(heddle, 'source');
  const target = new PackedInput(heddle, 'target', source.bounds);
  const smoothing = Number(/label smoothing ([\d.]+)/.exec(run.loss)?.[1] ?? 0);
  const logits = forward(heddle, run, () => model.forward(source, target));
  const loss = new Loss(heddle, logits, target.rows, smoothing);
  const batches = run.batches.map(({ src, tgt_in: given, tgt_out: wanted }) => {
    const isThere = (row) => (_, column) => wanted[row][column] !== pad;
    const from = source.batch(src.map((ids) => ids.filter((id) => id !== pad)));
    const to = target.batch(given.map((ids, row) => ids.filter(isThere(row))));
    const labels = loss.feeds(wanted.map((ids) => ids.filter((id) => id !== pad)));
    return {
      feeds: { ...from.feeds, ...to.feeds, ...labels },
      sizes: new Map([...from.sizes, ...to.sizes]),
    };
  });
  return {
    loss: loss.tensor,
    parameters: [...parameters],
    batches,
    capacities: capacitiesOf(batches),
    goldenOf: ({ name }, golden) => valuesOf(name, golden),
    isAtRest: ({ name }) => name.endsWith('k_proj.bias'),
    dispose: () => model.dispose(),
  };
}

/** torch.nn.MultiheadAttention has one projection to queries, keys and values. */
function valuesOf(ours, golden) {
  const [part] = /[qkv](?=_proj\.(weight|bias)$)/.exec(ours) ?? [];
  const name = ours
    .replace('embedding.weight', 'embed.weight')
    .replace('output.bias', 'out_bias')
    .replace('.layers.', '.')
    .replace(/\.[qkv]_proj\.(weight|bias)$/, '.in_proj_$1');
  const tensor = golden.get(name);
  if (!tensor) throw new Error(`no tensor ${name} for ${ours}`);
  if (part === undefined) return { name, values: tensor.data };
  const size = tensor.data.length / 3;
  const first = 'qkv'.indexOf(part) * size;
  return { name, values: tensor.data.subarray(first, first + size) };
}
