import { describe, expect, it } from 'vitest';
import { gradient } from '../../lib/graph/gradient.js';
import { inRecordedOrder } from '../../lib/graph/program.js';
import { compile } from '../../lib/graph/run.js';
import { stateTensor, type Tensor } from '../../lib/graph/tensor.js';
import { freshTrainable } from '../../lib/tasks/load_trainable.js';
import { MaskedLanguageModelObjective } from '../../lib/train/objectives/masked_language_model.js';
import { LabelLoss, noLabel } from '../../lib/train/objectives/token_loss.js';
import { PackedInputs } from '../../lib/train/packed_inputs.js';
import { RandomStream } from '../../lib/train/random_stream.js';
import { nativeBackend } from '../native.js';

/** The greatest difference, rounded to five places. */
function furthest(found: Float32Array, expected: Float32Array = new Float32Array()): number {
  if (found.length !== expected.length) return Infinity;
  const most = found.reduce((max, x, i) => Math.max(max, Math.abs(x - (expected[i] ?? 0))), 0);
  return Math.round(most * 1e5) / 1e5;
}

describe('the loss of a masked language model', () => {
  // So many that the loss is fused with the output projection.
  const vocabSize = 5000;
  const model = freshTrainable(
    {
      architectures: ['BertForMaskedLM'],
      model_type: 'bert',
      vocab_size: vocabSize,
      hidden_size: 8,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      intermediate_size: 16,
      max_position_embeddings: 16,
      initializer_range: 0.3,
    },
    1,
  );
  const examples = [
    { ids: [7, 5, 6, 8, 9, 11, 12, 13] },
    { ids: [2001, 4999, 300] },
    { ids: [1, 1] },
  ];
  const parameters = [...model.parameters].map(stateTensor);

  /** Loss and gradients. */
  async function values(loss: Tensor, { feeds, sizes }: ReturnType<typeof fill>) {
    const gradients = gradient(loss, parameters);
    const results = { loss, ...Object.fromEntries(gradients.entries()) };
    const graph = await compile(results, sizes, { backend: nativeBackend() });
    const found = await graph.run(feeds, sizes);
    graph.dispose();
    return Object.values(found).map(({ data }) => data);
  }
  const objectiveOf = (rate: number) =>
    new MaskedLanguageModelObjective(model.network, { maskId: 3, kept: new Set([1]), rate });
  const fill = (objective: MaskedLanguageModelObjective, seed: number) =>
    objective.fill(examples, 4, (example) => new RandomStream(seed, 1, example));

  it.each([0.3, 1])('is that of the logits of all rows, at a rate of %d', async (rate) => {
    const objective = objectiveOf(rate);
    const inputs = new PackedInputs('text', model.network);
    const { logits } = model.network.outputs(inputs.batch);
    if (!logits) throw new Error('no logits');
    const whole = new LabelLoss(logits.tensor, inputs.rows);
    const firsts = new Set<number | undefined>();
    for (const seed of [1, 2, 3, 4]) {
      const fed = fill(objective, seed);
      const { labels, weights, 'predicted offsets': begins } = fed.feeds;
      const all = new Array<number>(13).fill(noLabel);
      for (const [i, label] of [...(labels as Int32Array)].entries()) {
        if (weights?.[i] !== 0) all[Number(begins?.[i])] = label;
      }
      firsts.add(weights?.[0]);
      expect(all.filter((label) => label !== noLabel)).toHaveLength(rate === 1 ? 11 : 3);
      const ids = inputs.fill(examples.map(({ ids }) => ids));
      const shown = { ...ids.feeds, 'text ids': fed.feeds['text ids'] as Int32Array };
      const expected = await values(
        whole.loss,
        whole.fill({ feeds: shown, sizes: ids.sizes }, all, 4),
      );
      const found = await values(objective.loss, fed);
      expect(found.map((array, i) => furthest(array, expected[i]))).toEqual(expected.map(() => 0));
    }
    // Both with the first row among the predicted ones and without.
    expect(firsts.size).toBe(rate === 1 ? 1 : 2);
  });

  it('makes no logits, and no row of the head that is not predicted', () => {
    const objective = objectiveOf(0.15);
    const wide = inRecordedOrder([objective.loss]).filter(({ shape }) => shape[1] === vocabSize);
    expect(wide).toEqual([]);
    const { sizes } = fill(objective, 1);
    const capacities = objective.capacities({ tokens: 13, examples: 3 });
    for (const [dim, size] of sizes) expect(capacities.get(dim)).toBeGreaterThanOrEqual(size);
    // One of each example, and the first row.
    const [predicted = 0] = [...sizes]
      .filter(([{ name }]) => name === 'predicted rows')
      .map(([, size]) => size);
    expect(predicted).toBeLessThanOrEqual(4);
  });
});
