/** The two models of bench/train.mjs, as training steps of Heddle over batches of random ids. */
import { capacitiesOf, Loss, PackedInput } from '../scripts/training_inputs.mjs';

/** The shape of GPT-2, small: 13.9 million parameters. */
export const gpt2 = { layers: 6, width: 384, heads: 6, context: 256, words: 8192, batch: 8 };

/** The base model of Vaswani et al. 2017, table 3, with its vocabulary. */
export const base = { layers: 6, width: 512, heads: 8, inner: 2048, words: 37000, tokens: 2048 };

/** Floating-point operations of a step: 6 a weight and token, and causal attention, whose backward is 2.5 times its forward. */
export function gpt2Flops(batch) {
  const { layers, width, context, words } = gpt2;
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
export async function writeGpt2({ freshTrainable }, folder) {
  const { layers, width, heads, context, words } = gpt2;
  const fields = {
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    vocab_size: words,
    n_positions: context,
    n_embd: width,
    n_layer: layers,
    n_head: heads,
    activation_function: 'gelu_new',
  };
  const model = freshTrainable(fields, 1);
  await model.save(folder);
  model.dispose();
}

/** Sequences of random ids. */
const idsOf = (lengths, words, random) =>
  lengths.map((length) => Array.from({ length }, () => Math.floor(random() * words)));

/** @param dtype of products: float32, or bfloat16 over float32 weights. @returns `run()`, one step, and `dispose()`. */
export async function gpt2Step(heddle, folder, dtype = 'float32', batch = gpt2.batch) {
  const { loadTrainable, nn, TrainingStep, adamW } = heddle;
  const model = await loadTrainable(folder);
  const text = new PackedInput(heddle, 'text');
  const logits = nn.trainMode(() => model.forward(text).logits, { dropout: 0, dtype });
  const loss = new Loss(heddle, logits, text.rows, 0);
  const lengths = Array(batch).fill(gpt2.context);
  const { feeds, sizes } = text.batch(idsOf(lengths, gpt2.words, lcg(2)));
  Object.assign(feeds, loss.feeds(idsOf(lengths, gpt2.words, lcg(3))));
  const groups = [{ parameters: model.parameters, weightDecay: 0.1 }];
  const step = await TrainingStep.create({
    loss: loss.tensor,
    groups,
    optimizer: adamW(),
    capacities: sizes,
  });
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
  const { nn, TrainingStep, adamW } = heddle;
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
  const source = new PackedInput(heddle, 'source');
  const target = new PackedInput(heddle, 'target', source.bounds);
  const loss = new Loss(heddle, model.forward(source, target), target.rows, 0.1);
  const random = lcg(4);
  const ready = batches.map((pairs) => {
    const targets = pairs.map(([, n]) => n);
    const from = source.batch(
      idsOf(
        pairs.map(([n]) => n),
        words,
        random,
      ),
    );
    const to = target.batch(idsOf(targets, words, random));
    return {
      feeds: { ...from.feeds, ...to.feeds, ...loss.feeds(idsOf(targets, words, random)) },
      sizes: new Map([...from.sizes, ...to.sizes]),
    };
  });
  const groups = [{ parameters: scope.parameters }];
  const optimizer = adamW({ betas: [0.9, 0.98], epsilon: 1e-9 });
  const step = await TrainingStep.create({
    loss: loss.tensor,
    groups,
    optimizer,
    capacities: capacitiesOf(ready),
  });
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
