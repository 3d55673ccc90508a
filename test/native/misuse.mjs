/** What callers of the addon can do wrong, as a table: each has to end in an error with this code. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { input, output, planWords, state } from './plan_words.mjs';

export async function misuses(addon, folder, words, { rows, inner, outer }) {
  const kernels = addon.kernels();
  const zeros = (...dims) => addon.createState('float32', dims, null);
  const states = [zeros(outer, inner), zeros(outer), zeros(outer)];
  const plan = addon.createPlan(words, states);
  const released = addon.createPlan(words, states);
  released.release();
  const gone = zeros(1);
  gone.release();
  const x = () => new Float32Array(rows * inner);
  const run = (plan, symbols, inputs, cancel = null, profile = null) =>
    addon.run(plan, symbols, inputs, cancel, profile);
  const over = (buffer) => new Float32Array(buffer, 0, rows * inner);
  const bytes = rows * inner * 4;
  const detached = x();
  structuredClone(detached, { transfer: [detached.buffer] });
  const changed = (at, value) => {
    const copy = words.slice();
    copy[at] = BigInt(value);
    return () => addon.createPlan(copy, states);
  };
  const path = join(folder, 'misuse');
  writeFileSync(path, new Uint8Array(64));
  mkdirSync(join(folder, 'directory'));
  const load =
    (change, dtype = 'float32', form = 'plain') =>
    () =>
      addon.loadState(
        [change].flat().map((each) => ({
          ...{ path, offset: 0, bytes: 64, dtype: 'F32', dims: [4, 4] },
          ...each,
        })),
        dtype,
        form,
      );
  const gather = addon.createPlan(
    planWords({
      kernels,
      capacities: [8],
      values: [
        { kind: state, index: 0, dims: [4, 4] },
        { kind: input, dtype: 'int32', index: 0, dims: [-1] },
        { kind: output, index: 0, dims: [-1, 4] },
      ],
      nodes: [{ kernel: 'embedding', in: [0, 1, -1], out: 2, floats: [1] }],
    }),
    [zeros(4, 4)],
  );
  const ids =
    (...values) =>
    () =>
      run(gather, [values.length], [Int32Array.from(values)]);
  const pool = addon.createPlan(
    planWords({
      kernels,
      capacities: [8, 9, 8],
      values: [
        { kind: input, index: 0, dims: [-1, 2] },
        { kind: input, dtype: 'int32', index: 1, dims: [-2] },
        { kind: output, index: 0, dims: [-3, 2] },
      ],
      nodes: [{ kernel: 'pool', in: [0, 1], out: 2, ints: [0] }],
    }),
    [],
  );
  const segments =
    (count, ...offsets) =>
    () =>
      run(pool, [4, offsets.length, count], [new Float32Array(8), Int32Array.from(offsets)]);

  /** The same elements, the last of which runs `effect` when it is read. */
  const withGetter = (elements, effect) => {
    const array = [...elements];
    const last = array.at(-1);
    Object.defineProperty(array, array.length - 1, {
      get() {
        effect();
        return last;
      },
    });
    return array;
  };

  const table = [
    ['a released plan', 'ERR_DISPOSED', () => run(released, [rows], [x()])],
    ['a released state', 'ERR_DISPOSED', () => gone.read()],
    [
      'a plan over a released state',
      'ERR_DISPOSED',
      () => addon.createPlan(words, [gone, gone, gone]),
    ],
    ['a state as plan', 'ERR_ARGUMENT', () => run(states[0], [rows], [x()])],
    ['an object as plan', 'ERR_ARGUMENT', () => run({}, [rows], [x()])],
    ['nothing as plan', 'ERR_ARGUMENT', () => run(undefined, [rows], [x()])],
    ['a plan as cancel', 'ERR_ARGUMENT', () => run(plan, [rows], [x()], plan)],
    ['too few symbols', 'ERR_ARGUMENT', () => run(plan, [], [x()])],
    ['a symbol above its capacity', 'ERR_ARGUMENT', () => run(plan, [65], [x()])],
    ['a negative symbol', 'ERR_ARGUMENT', () => run(plan, [-1], [x()])],
    ['a fractional symbol', 'ERR_ARGUMENT', () => run(plan, [1.5], [x()])],
    ['a NaN symbol', 'ERR_ARGUMENT', () => run(plan, [Number.NaN], [x()])],
    ['a symbol of 2^53', 'ERR_ARGUMENT', () => run(plan, [2 ** 53], [x()])],
    ['too few inputs', 'ERR_ARGUMENT', () => run(plan, [rows], [])],
    ['inputs that are no array', 'ERR_ARGUMENT', () => run(plan, [rows], x())],
    ['an input too short', 'ERR_SHAPE', () => run(plan, [rows], [new Float32Array(3)])],
    ['an input too long', 'ERR_SHAPE', () => run(plan, [rows - 1], [x()])],
    ['a Float64Array', 'ERR_ARGUMENT', () => run(plan, [rows], [new Float64Array(rows * inner)])],
    ['an array of numbers', 'ERR_ARGUMENT', () => run(plan, [rows], [Array(rows * inner).fill(0)])],
    ['a DataView', 'ERR_ARGUMENT', () => run(plan, [rows], [new DataView(new ArrayBuffer(bytes))])],
    ['a detached input', 'ERR_ARGUMENT', () => run(plan, [rows], [detached])],
    [
      'a shared input',
      'ERR_ARGUMENT',
      () => run(plan, [rows], [over(new SharedArrayBuffer(bytes))]),
    ],
    [
      'a resizable input',
      'ERR_ARGUMENT',
      () => run(plan, [rows], [over(new ArrayBuffer(bytes, { maxByteLength: 2 * bytes }))]),
    ],
    [
      'an input detached by a getter',
      'ERR_ARGUMENT',
      () => {
        const inputs = [x()];
        const first = inputs[0];
        Object.defineProperty(inputs, 0, {
          get() {
            structuredClone(first, { transfer: [first.buffer] });
            return first;
          },
        });
        return run(plan, [rows], inputs);
      },
    ],
    [
      'a plan released by a getter',
      'ERR_DISPOSED',
      () => {
        const doomed = addon.createPlan(words, states);
        return run(
          doomed,
          [rows],
          withGetter([x()], () => doomed.release()),
        );
      },
    ],
    [
      'a state released by a getter',
      'ERR_DISPOSED',
      () => {
        const doomed = states.map(() => zeros(1));
        return addon.createPlan(
          words,
          withGetter(doomed, () => doomed[0].release()),
        );
      },
    ],
    [
      'an array that claims 2^32 - 1 symbols',
      'ERR_ARGUMENT',
      () => run(plan, new Array(2 ** 32 - 1), [x()]),
    ],
    ['a short profile', 'ERR_ARGUMENT', () => run(plan, [rows], [x()], null, new Float64Array(3))],
    ['id -1', 'ERR_INPUT', ids(0, -1)],
    ['id of the vocabulary', 'ERR_INPUT', ids(3, 4)],
    ['id 2^31 - 1', 'ERR_INPUT', ids(2147483647)],
    ['segments from 1', 'ERR_INPUT', segments(1, 1, 4)],
    ['segments beyond the rows', 'ERR_INPUT', segments(1, 0, 5)],
    ['segments short of the rows', 'ERR_INPUT', segments(1, 0, 3)],
    ['decreasing segments', 'ERR_INPUT', segments(3, 0, 3, 2, 4)],
    ['one segment too few', 'ERR_SHAPE', segments(1, 0, 2, 4)],
    ['no segment offsets', 'ERR_SHAPE', segments(0)],
    ['words of another format', 'ERR_ARGUMENT', changed(0, 1)],
    ['no words', 'ERR_ARGUMENT', () => addon.createPlan(new BigInt64Array(0), [])],
    ['half a plan', 'ERR_ARGUMENT', () => addon.createPlan(words.slice(0, 20), states)],
    ['numbers as words', 'ERR_ARGUMENT', () => addon.createPlan(Array.from(words, Number), states)],
    ['2^62 values', 'ERR_ARGUMENT', changed(2, 2n ** 62n)],
    ['-1 nodes', 'ERR_ARGUMENT', changed(3, -1)],
    ['an arena of 2^62', 'ERR_ARGUMENT', changed(7, 2n ** 62n)],
    ['a small arena', 'ERR_ARGUMENT', changed(7, 64)],
    ['a missing state', 'ERR_ARGUMENT', () => addon.createPlan(words, states.slice(1))],
    [
      'a state of another shape',
      'ERR_SHAPE',
      () => addon.createPlan(words, states.toReversed?.() ?? [...states].reverse()),
    ],
    ['a dtype that is none', 'ERR_ARGUMENT', () => addon.createState('float64', [1], null)],
    [
      'dims beyond memory',
      'ERR_ARGUMENT',
      () => addon.createState('float32', [2 ** 40, 2 ** 40], null),
    ],
    ['64 TiB', 'ERR_MEMORY', () => addon.createState('float32', [2 ** 44], null)],
    ['a negative dim', 'ERR_ARGUMENT', () => addon.createState('float32', [-1], null)],
    ['five dims', 'ERR_ARGUMENT', () => addon.createState('float32', [1, 1, 1, 1, 1], null)],
    [
      'data of another length',
      'ERR_SHAPE',
      () => addon.createState('float32', [2], new Float32Array(3)),
    ],
    [
      'data of another type',
      'ERR_ARGUMENT',
      () => addon.createState('float16', [2], new Float32Array(2)),
    ],
    ['a file that is not there', 'ERR_FILE', load({ path: join(folder, 'nothing') })],
    ['a directory', 'ERR_FILE', load({ path: join(folder, 'directory') })],
    ['a path with NUL', 'ERR_ARGUMENT', load({ path: 'a\0b' })],
    ['a range past the end', 'ERR_FILE', load({ offset: 4 })],
    ['a negative offset', 'ERR_FORMAT', load({ offset: -4 })],
    ['bytes that do not fit dims', 'ERR_FORMAT', load({ bytes: 60 })],
    ['dims that overflow', 'ERR_ARGUMENT', load({ dims: [2 ** 32, 2 ** 32] })],
    [
      'dims that overflow around 0',
      'ERR_ARGUMENT',
      load({ dims: [0, 2 ** 40, 2 ** 40], bytes: 0 }),
    ],
    ['a packed vector', 'ERR_ARGUMENT', load({ dims: [16] }, 'float32', 'packed')],
    ['a form that is none', 'ERR_ARGUMENT', load({}, 'float32', 'folded')],
    ['no list of sources', 'ERR_ARGUMENT', () => addon.loadState(null, 'float32', 'plain')],
    ['no source', 'ERR_ARGUMENT', () => addon.loadState([], 'float32', 'plain')],
    ['a source that is none', 'ERR_ARGUMENT', () => addon.loadState([null], 'float32', 'plain')],
    ['vectors that are joined', 'ERR_ARGUMENT', load([{ dims: [16] }, { dims: [16] }])],
    ['columns that differ', 'ERR_ARGUMENT', load([{}, { dims: [8, 2] }])],
    ['joined and transposed', 'ERR_ARGUMENT', load([{}, {}], 'float32', 'packedTransposed')],
    ['0 threads', 'ERR_ARGUMENT', () => addon.setThreads(0)],
    ['257 threads', 'ERR_ARGUMENT', () => addon.setThreads(257)],
    [
      'another instruction set',
      'ERR_ARGUMENT',
      () => addon.start({ isa: addon.info().isa === 'scalar' ? 'avx2' : 'scalar' }),
    ],
    ['a state made by JS', 'ERR_ARGUMENT', () => new states[0].constructor()],
  ];
  for (const [what, code, body] of table) {
    let error;
    try {
      await body();
    } catch (thrown) {
      error = thrown;
    }
    assert.ok(error instanceof Error, `${what}: nothing was thrown`);
    assert.equal(error.code, code, `${what}: ${error.stack}`);
  }
  assert.throws(() => states[0].read.call(plan), TypeError);
  for (const each of [plan, gather, pool, ...states]) each.release();
  return table.length;
}
