import { afterAll, describe, expect, it } from 'vitest';
import { HeddleError } from '../../lib/errors.js';
import type { EncoderInputs } from '../../lib/models/encoder_inputs.js';
import { load } from '../../lib/tasks/load.js';
import { tinyBert } from '../tasks/tiny_model.js';

const model = await load(tinyBert); // 256 words, 48 positions, 2 types
afterAll(() => model.dispose());

const ids = (...row: unknown[]): EncoderInputs => ({ inputIds: [row as number[]] });
const beside = (name: string, rows: unknown): EncoderInputs => ({
  inputIds: [
    [1, 2, 3],
    [4, 5, 6],
  ],
  [name]: rows,
});
const sparse = [1, 2, 3];
delete sparse[1];

const table: [what: string, inputs: unknown, message: RegExp][] = [
  ['no inputs', {}, /inputIds.*undefined/],
  ['ids that are text', { inputIds: 'hello' }, /inputIds.*string/],
  ['a flat list of ids', { inputIds: [1, 2, 3] }, /inputIds\[0\].*number/],
  ['a typed array', { inputIds: [Int32Array.of(1, 2)] }, /inputIds\[0\].*object/],
  ['an empty batch', { inputIds: [] }, /inputIds.*none/],
  ['an empty row', { inputIds: [[]] }, /inputIds\[0\].*none/],
  ['an empty row among others', { inputIds: [[1], [], [2]] }, /inputIds\[1\].*none/],
  ['a hole in a row', { inputIds: [sparse] }, /inputIds\[0\]\[1\].*undefined/],
  ['id −1', ids(1, -1), /inputIds\[0\]\[1\].*0 to 255.*-1/],
  ['the first id beyond the vocabulary', ids(256), /inputIds\[0\]\[0\].*256/],
  ['id 2^31', ids(2 ** 31), /2147483648/],
  ['id 2^53', ids(2 ** 53), /9007199254740992/],
  ['id NaN', ids(Number.NaN), /NaN/],
  ['id infinity', ids(Number.POSITIVE_INFINITY), /Infinity/],
  ['id 1.5', ids(1.5), /1\.5/],
  ['a text as an id', ids('1'), /inputIds\[0\]\[0\]/],
  ['a bigint as an id', ids(1n), /inputIds\[0\]\[0\]/],
  ['null as an id', ids(null), /null/],
  ['more ids than positions', ids(...new Array(49).fill(1)), /at most 48 tokens.*48 positions.*49/],
  ['a mask of fewer rows', beside('attentionMask', [[1, 1, 1]]), /attentionMask.*3, 3.*rows of 3$/],
  ['a ragged mask', beside('attentionMask', [[1, 1, 1], [1]]), /attentionMask.*3, 1/],
  ['a mask that is a number', beside('attentionMask', 1), /attentionMask.*number/],
  [
    'a mask of 2',
    beside('attentionMask', [
      [1, 2, 1],
      [1, 1, 1],
    ]),
    /attentionMask\[0\]\[1\].*0 to 1.*2/,
  ],
  [
    'a mask of −10000',
    beside('attentionMask', [
      [1, 1, 1],
      [1, 1, -1e4],
    ]),
    /attentionMask\[1\]\[2\]/,
  ],
  [
    'a mask of null',
    beside('attentionMask', [
      [1, null, 1],
      [1, 1, 1],
    ]),
    /attentionMask\[0\]\[1\].*null/,
  ],
  [
    'a mask of true',
    beside('attentionMask', [
      [true, true, true],
      [1, 1, 1],
    ]),
    /attentionMask\[0\]\[0\]/,
  ],
  [
    'nothing but padding',
    beside('attentionMask', [
      [0, 0, 0],
      [0, 0, 0],
    ]),
    /not masked/,
  ],
  [
    'type −1',
    beside('tokenTypeIds', [
      [0, 0, 0],
      [-1, 0, 0],
    ]),
    /tokenTypeIds\[1\]\[0\].*0 to 1.*-1/,
  ],
  [
    'type 2',
    beside('tokenTypeIds', [
      [0, 2, 0],
      [0, 0, 0],
    ]),
    /tokenTypeIds\[0\]\[1\]/,
  ],
  [
    'types of another shape',
    beside('tokenTypeIds', [
      [0, 0],
      [0, 0],
    ]),
    /tokenTypeIds/,
  ],
  [
    'position −1',
    beside('positionIds', [
      [0, 1, -1],
      [0, 1, 2],
    ]),
    /positionIds\[0\]\[2\]/,
  ],
  [
    'position 48',
    beside('positionIds', [
      [0, 1, 48],
      [0, 1, 2],
    ]),
    /positionIds\[0\]\[2\].*0 to 47/,
  ],
  [
    'position NaN',
    beside('positionIds', [
      [0, 1, Number.NaN],
      [0, 1, 2],
    ]),
    /positionIds\[0\]\[2\]/,
  ],
];

describe('forward refuses', () => {
  it.each(table)('%s', async (_, inputs, message) => {
    const error = await model.forward(inputs as EncoderInputs).then(
      () => 'ran',
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(HeddleError);
    expect(error).toMatchObject({ code: 'ERR_INPUT', message: expect.stringMatching(message) });
  });

  it.each([
    ['pooled'],
    ['hiddenStates.3'],
    ['hiddenStates.-1'],
    ['attentions.2'],
    ['__proto__'],
    [''],
  ])('the output %j', async (output) => {
    const run = model.forward(ids(1, 2), { outputs: ['logits', output] });
    await expect(run).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
      message: expect.stringMatching(/lastHiddenState.*hiddenStates\.2.*attentions\.1/),
    });
  });

  it.each([
    ['attention_mask', /inputIds, attentionMask, tokenTypeIds, positionIds.*'attention_mask'/],
    ['token_type_ids', /'token_type_ids'/],
    ['toString', /'toString'/],
  ])('the input %s', async (key, message) => {
    const run = model.forward({ ...ids(1, 2), [key]: [[1, 0]] } as EncoderInputs);
    await expect(run).rejects.toMatchObject({
      name: 'HeddleError',
      code: 'ERR_ARGUMENT',
      message: expect.stringMatching(message),
    });
  });

  it.each<[unknown, RegExp]>([
    [undefined, /inputIds.*undefined/],
    [[[1, 2]], /inputIds.*an array of 1/],
    ['text', /inputIds.*'text'/],
  ])('inputs that are %j', async (inputs, message) => {
    const run = model.forward(inputs as EncoderInputs);
    await expect(run).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
      message: expect.stringMatching(message),
    });
  });

  it.each<[unknown, RegExp]>([
    [{ output: ['logits'] }, /outputs, signal.*'output'/],
    [{ outputs: 'logits' }, /an array of names.*'logits'/],
    [['logits'], /outputs, signal.*an array of 1/],
  ])('the options %j', async (options, message) => {
    const run = model.forward(ids(1, 2), options as { outputs: string[] });
    await expect(run).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
      message: expect.stringMatching(message),
    });
  });

  it('no outputs', async () => {
    const run = model.forward(ids(1, 2), { outputs: [] });
    await expect(run).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
  });

  it('nothing that is right, afterwards', async () => {
    const { logits } = await model.forward(ids(...new Array(48).fill(255)));
    expect(logits.shape).toEqual([1, 48, 256]);
    expect(logits.data.every(Number.isFinite)).toBe(true);
  });
});
