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

/**
 * A Hugging Face model: of a decoder, the logits of each token are held against the token after it, of one with masked words
 * against its own label.
 */
export async function modelRun(heddle, folder, run) {
  const model = await heddle.loadTrainable(folder);
  const packed = new PackedInput(heddle, 'text');
  const positionIds = heddle.input('text places', [packed.rows], 'int32');
  const typeIds = heddle.input('text types', [packed.rows], 'int32');
  const given = { ids: packed.ids, offsets: packed.offsets, positions: packed.positions };
  const { logits } = forward(heddle, run, () => model.forward({ ...given, positionIds, typeIds }));
  const loss = new Loss(heddle, logits, packed.rows, 0);
  const ahead = run.loss === 'masked words' ? 0 : 1;
  const batches = run.batches.map(({ input_ids: ids, attention_mask: mask, labels = ids }) => {
    const length = (row) => (mask ? mask[row].filter(Boolean).length : ids[row].length);
    const texts = ids.map((row, i) => row.slice(0, length(i) - ahead));
    const { feeds, sizes } = packed.batch(texts);
    const wanted = loss.feeds(labels.map((row, i) => row.slice(ahead, length(i))));
    const columns = feeds['text positions'];
    const places = texts.flatMap((text) => model.network.positionIds(text));
    const fed = { 'text places': Int32Array.from(places), 'text types': columns.map(() => 0) };
    const batch = { columns, positionIds: fed['text places'], offsets: feeds['text offsets'] };
    const extra = model.network.extraFeeds(batch);
    return {
      feeds: { ...feeds, ...wanted, ...fed, ...extra.feeds },
      sizes: new Map([...sizes, ...extra.sizes]),
    };
  });
  const stored = model.stored();
  const parameters = stored.map(({ state }) => state);
  const storedAs = new Map(stored.map((each) => [each.state, each]));
  return {
    loss: loss.tensor,
    parameters,
    batches,
    capacities: capacitiesOf(batches),
    /** Parameters may be several tensors one after the other, part of one, or one that is stored across. */
    goldenOf(state, golden) {
      const { names, stored } = storedAs.get(state);
      const count = state.shape.reduce((a, b) => a * b, 1);
      const tensors = names.map((name) => {
        if (golden.has(name)) return golden.get(name).data;
        throw new Error(`no tensor ${name} among ${[...golden.keys()].join(', ')}`);
      });
      const all = Float32Array.from(tensors.flatMap((data) => [...data]));
      const values = all.subarray(stored?.offset ?? 0, (stored?.offset ?? 0) + count);
      if (!stored?.transposed) return { names, values };
      const [outputs, inputs] = state.shape;
      const at = (i) => values[(i % inputs) * outputs + Math.floor(i / inputs)];
      return { names, values: values.map((_, i) => at(i)) };
    },
    /** Biases of keys, which softmax takes away again; in GPT-2 the middle third of those of queries, keys and values. */
    isAtRest: ({ name, shape: [count] }, i) =>
      /\b(k|key)\.bias$/.test(name) ||
      (name.endsWith('c_attn.bias') && Math.floor((3 * i) / count) === 1),
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
  if (part === undefined) return { names: [name], values: tensor.data };
  const size = tensor.data.length / 3;
  const first = 'qkv'.indexOf(part) * size;
  return { names: [name], values: tensor.data.subarray(first, first + size) };
}
