import { describe, expect, it } from 'vitest';
import { HeddleError } from '../../lib/errors.js';
import { compile, run } from '../../lib/graph/run.js';
import { stateTensor, type Tensor, tensor } from '../../lib/graph/tensor.js';
import * as nn from '../../lib/layers/index.js';
import * as ops from '../../lib/ops/index.js';

/** Calls as JavaScript may make them: without the types. */
// biome-ignore lint/suspicious/noExplicitAny: wrong arguments are what is tested
type Any = any;
const any = (value: unknown): Any => value;
const layers = any(nn);
const op = any(ops);

const x = tensor([
  [1, 2],
  [3, 4],
]);
const attend = { heads: 1, segments: tensor(Int32Array.of(0, 2)) };
const block = { dModel: 4, numHeads: 2, dFeedForward: 8 };
const sparse = [1, 2, 3];
delete sparse[1];
const cyclic: unknown[] = [];
cyclic.push(cyclic);

const table: [what: string, call: () => unknown, code: string, message: RegExp][] = [
  // Options: not an object, or with a key that nothing reads.
  ['softmax(x, 2)', () => op.softmax(x, 2), 'ERR_ARGUMENT', /softmax.*\(t\).*found 2/],
  ['softmax with t beyond float32', () => op.softmax(x, { t: 1e308 }), 'ERR_ARGUMENT', /1e\+308/],
  ['a factor beyond float32', () => op.scale(x, 1e39), 'ERR_ARGUMENT', /factor.*1e\+39/],
  ['a negative epsilon', () => op.l2Normalize(x, { epsilon: -1 }), 'ERR_ARGUMENT', /epsilon.*-1/],
  [
    'a window of 1.5',
    () =>
      op.attention(x, x, x, {
        heads: 1,
        segments: tensor(Int32Array.of(0, 2)),
        window: { left: 1.5 },
      }),
    'ERR_ARGUMENT',
    /window.*1\.5/,
  ],
  [
    'an array that holds itself',
    () => tensor(cyclic as number[]),
    'ERR_SHAPE',
    /at most 4 dimensions/,
  ],
  ['softmax(x, null)', () => op.softmax(x, null), 'ERR_ARGUMENT', /null/],
  ['a misspelt option of softmax', () => op.softmax(x, { T: 2 }), 'ERR_ARGUMENT', /options t.*'T'/],
  ['of linear', () => op.linear(x, x, undefined, { dtype: 1 }), 'ERR_ARGUMENT', /compute.*'dtype'/],
  ['of matmul', () => op.matmul(x, x, { transB: true }), 'ERR_ARGUMENT', /transposeB.*'transB'/],
  ['of embedding', () => op.embedding(x, x, { factor: 2 }), 'ERR_ARGUMENT', /scale.*'factor'/],
  ['of l2Normalize', () => op.l2Normalize(x, { eps: 1 }), 'ERR_ARGUMENT', /epsilon.*'eps'/],
  ['of relativeBias', () => op.relativeBias(x, { max: 1 }), 'ERR_ARGUMENT', /maxDistance.*'max'/],
  [
    'of attention',
    () => op.attention(x, x, x, { ...attend, mask: x }),
    'ERR_ARGUMENT',
    /causal.*'mask'/,
  ],
  [
    'of a window',
    () => op.attention(x, x, x, { ...attend, window: { before: 1 } }),
    'ERR_ARGUMENT',
    /left, right.*'before'/,
  ],
  ['no options of attention', () => op.attention(x, x, x), 'ERR_ARGUMENT', /heads.*undefined/],
  ['of Linear', () => new layers.Linear(2, 3, { biais: false }), 'ERR_ARGUMENT', /bias.*'biais'/],
  [
    'of Transformer',
    () => new layers.Transformer({ vocabSize: 5, d_model: 8 }),
    'ERR_ARGUMENT',
    /dModel.*'d_model'/,
  ],
  [
    'of EncoderLayer',
    () => new layers.EncoderLayer({ ...block, dropuot: 0 }),
    'ERR_ARGUMENT',
    /normFirst.*'dropuot'/,
  ],
  [
    'of FeedForward',
    () => new layers.FeedForward({ ...block, dModel: 4 }),
    'ERR_ARGUMENT',
    /dFeedForward.*'numHeads'/,
  ],
  [
    'of MultiHeadAttention.forward',
    () =>
      new layers.MultiHeadAttention({ dModel: 2, numHeads: 1 }).forward(x, attend, { mask: [1] }),
    'ERR_ARGUMENT',
    /causal.*'mask'/,
  ],
  ['a scope that is none', () => new layers.Linear(2, 3, { scope: 'a' }), 'ERR_ARGUMENT', /Scope/],

  // Sizes.
  ['Transformer()', () => new layers.Transformer(), 'ERR_ARGUMENT', /vocabSize.*found undefined/],
  [
    'Transformer({})',
    () => new layers.Transformer({}),
    'ERR_ARGUMENT',
    /vocabSize: expected a whole number from 1.*undefined/,
  ],
  ['vocabSize −1', () => new nn.Transformer({ vocabSize: -1 }), 'ERR_ARGUMENT', /vocabSize.*-1/],
  [
    'half a layer',
    () => new nn.Transformer({ vocabSize: 5, numDecoderLayers: 1.5 }),
    'ERR_ARGUMENT',
    /numDecoderLayers.*from 0.*1\.5/,
  ],
  ['Linear({})', () => new layers.Linear({}), 'ERR_ARGUMENT', /inputs.*an object/],
  ['Linear(2, 0)', () => new nn.Linear(2, 0), 'ERR_ARGUMENT', /outputs.*found 0/],
  ['Embedding(5)', () => new layers.Embedding(5), 'ERR_ARGUMENT', /width.*undefined/],
  ['LayerNorm("8")', () => new layers.LayerNorm('8'), 'ERR_ARGUMENT', /width.*'8'/],
  ['RmsNorm(NaN)', () => new nn.RmsNorm(Number.NaN), 'ERR_ARGUMENT', /width.*NaN/],
  ['LearnedPositions()', () => new layers.LearnedPositions(), 'ERR_ARGUMENT', /undefined/],
  ['SinusoidalPositions(−1)', () => new nn.SinusoidalPositions(-1, 4), 'ERR_ARGUMENT', /-1/],
  ['FeedForward()', () => new layers.FeedForward(), 'ERR_ARGUMENT', /dFeedForward.*undefined/],
  ['DecoderLayer()', () => new layers.DecoderLayer(), 'ERR_ARGUMENT', /numHeads.*undefined/],
  [
    'no heads',
    () => new nn.MultiHeadAttention({ dModel: 4, numHeads: 0 }),
    'ERR_ARGUMENT',
    /numHeads.*found 0/,
  ],
  [
    'heads that do not divide the width',
    () => new nn.Transformer({ vocabSize: 5, dModel: 10, numHeads: 3 }),
    'ERR_SHAPE',
    /3 heads.*10/,
  ],

  // Ids.
  ['pack()', () => layers.pack(), 'ERR_INPUT', /array of sequences.*undefined/],
  ['pack([])', () => nn.pack([]), 'ERR_INPUT', /none/],
  ['pack([1, 2])', () => layers.pack([1, 2]), 'ERR_INPUT', /\[0\].*found 1/],
  ['pack of a typed array', () => layers.pack([Int32Array.of(1)]), 'ERR_INPUT', /Int32Array/],
  ['pack([[1.5]])', () => nn.pack([[1.5]]), 'ERR_INPUT', /\[0\]\[0\].*1\.5/],
  ['pack([["a"]])', () => layers.pack([['a']]), 'ERR_INPUT', /\[0\]\[0\].*'a'/],
  ['pack([[1], [2, −1]])', () => nn.pack([[1], [2, -1]]), 'ERR_INPUT', /\[1\]\[1\].*-1/],
  ['pack of 2^31', () => nn.pack([[2 ** 31]]), 'ERR_INPUT', /2147483648/],
  ['pack of a hole', () => nn.pack([sparse]), 'ERR_INPUT', /\[0\]\[1\].*undefined/],
  [
    'ids that were not packed',
    () => any(new nn.Transformer({ vocabSize: 5, ...block })).forward([[1]], [[2]]),
    'ERR_ARGUMENT',
    /packed.*array of 1/,
  ],

  // Tensors.
  ['tensor("x")', () => tensor(any('x')), 'ERR_ARGUMENT', /numbers.*'x'/],
  ['tensor()', () => tensor(any(undefined)), 'ERR_ARGUMENT', /numbers.*undefined/],
  ['tensor([["a"]])', () => tensor(any([['a']])), 'ERR_ARGUMENT', /numbers.*'a'/],
  ['a ragged tensor', () => tensor([[1, 2], [3]]), 'ERR_SHAPE', /regular/],
  ['a shape that is none', () => tensor([1], any(1)), 'ERR_SHAPE', /a shape.*found 1/],
  ['a dimension of "2"', () => tensor([1, 2], any(['2'])), 'ERR_SHAPE', /whole number/],
  ['relu(3)', () => op.relu(3), 'ERR_ARGUMENT', /relu: x.*tensor.*found 3/],
  ['relu()', () => op.relu(), 'ERR_ARGUMENT', /relu: x.*undefined/],
  ['add(x, 3)', () => op.add(x, 3), 'ERR_ARGUMENT', /add: b.*found 3/],
  ['linear(x, null)', () => op.linear(x, null), 'ERR_ARGUMENT', /weight.*null/],
  ['attention(1)', () => op.attention(1, x, x, attend), 'ERR_ARGUMENT', /attention: q.*found 1/],
  ['assign(1)', () => op.assign(1, x), 'ERR_ARGUMENT', /assign: state.*found 1/],
  ['stateTensor({})', () => stateTensor(any({})), 'ERR_ARGUMENT', /State.*an object/],
  ['an unknown activation', () => op.activation(x, 'mish'), 'ERR_ARGUMENT', /'relu'.*'mish'/],
  ['an unknown pooling', () => op.pool(x, x, 1, 'cls'), 'ERR_ARGUMENT', /'first'.*'cls'/],
  [
    'an unknown compute',
    () => op.linear(x, x, undefined, { compute: 'int8' }),
    'ERR_ARGUMENT',
    /'bfloat16'.*'int8'/,
  ],

  // Runs.
  ['run()', () => run(any(undefined)), 'ERR_ARGUMENT', /outputs.*undefined/],
  ['run({ y: 3 })', () => run(any({ y: 3 })), 'ERR_ARGUMENT', /output y.*found 3/],
  ['run of data', () => run(any([1, 2])), 'ERR_ARGUMENT', /output 0.*found 1/],
  ['run(x, { abort })', () => run(x, any({ abort: 1 })), 'ERR_ARGUMENT', /signal.*'abort'/],
  [
    'compile(…, { effect })',
    () => compile({ x }, new Map(), any({ effect: [] })),
    'ERR_ARGUMENT',
    /effects.*'effect'/,
  ],
];

describe('layers, ops and runs refuse', () => {
  it.each(table)('%s', async (_, call, code, message) => {
    const error = await new Promise((resolve) => resolve(call())).then(
      () => 'nothing was thrown',
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(HeddleError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('none of their own options', async () => {
    const scope = nn.Scope.random(1);
    const sequences = nn.pack([[1, 0]]);
    const layer = new nn.EncoderLayer({
      dModel: 4,
      numHeads: 2,
      dFeedForward: 8,
      activation: 'gelu',
      normFirst: true,
      epsilon: 1e-6,
      scope,
    });
    const words: Tensor = new nn.Embedding(3, 4, { scope: scope.at('words') }).forward(
      sequences.ids,
      { scale: 2 },
    );
    const all = ops.softmax(ops.l2Normalize(layer.forward(words, sequences), { epsilon: 0.1 }), {
      t: 2,
    });
    const { shape, data } = await run(all, { signal: new AbortController().signal });
    expect(shape).toEqual([2, 4]);
    expect(data.every((value) => value > 0 && value < 1)).toBe(true);
    layer.dispose();
  });
});
