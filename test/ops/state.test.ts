import { describe, expect, it } from 'vitest';
import type { Backend } from '../../lib/graph/backend.js';
import { ReferenceBackend } from '../../lib/graph/reference_backend.js';
import { compile } from '../../lib/graph/run.js';
import { SymbolicDim } from '../../lib/graph/shape.js';
import { State } from '../../lib/graph/state.js';
import { input, stateTensor, type Tensor, tensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';
import { nativeBackend } from '../native.js';
import { firstDifference } from '../reference.js';
import { Random } from './op_case.js';

const backends: [string, () => Backend][] = [
  ['native', nativeBackend],
  ['reference', () => new ReferenceBackend()],
];

const cache = (rows: number, columns: number): State =>
  new State('cache', [rows, columns], 'float32', { kind: 'zeros' });

describe.each(backends)('states on the %s backend', (_, makeBackend) => {
  const backend = makeBackend();

  it('are written in recorded order, and outlive runs', async () => {
    const counter = new State('counter', [2], 'float32', { kind: 'zeros' });
    const before = stateTensor(counter);
    const seen = ops.scale(before, 1);
    const after = ops.assign(before, ops.scale(before, 1, 1));
    const doubled = ops.scale(after, 2);
    const graph = await compile({ seen, doubled }, new Map(), { backend });
    for (const run of [0, 1, 2]) {
      const result = await graph.run({});
      expect([...result.seen.data]).toEqual([run, run]);
      expect([...result.doubled.data]).toEqual([2 * (run + 1), 2 * (run + 1)]);
    }
    expect([...(await backend.read(counter))]).toEqual([3, 3]);
  });

  it('are written together by a step of Adam, as its parts would; by none whose guard is not finite', async () => {
    const random = new Random(1);
    const shape = [3, 7];
    const [p, m, g] = [random.tensor(shape), random.tensor(shape), random.tensor(shape)];
    const v = ops.multiply(m, m);
    const options = { betas: [0.9, 0.99], weightDecay: 0.1, epsilon: 0.01 } as const;
    const [rates, factor] = [tensor([0.1, 1.25, 2.5]), tensor([0.25])];
    const [first, second] = ([1, 2] as const).map((order) => {
      const keep = order === 1 ? 0.9 : 0.99;
      return ops.moment(order === 1 ? m : v, g, { keep, take: 1 - keep, order, factor });
    }) as [Tensor, Tensor];
    const { weightDecay, epsilon } = options;
    const parameter = ops.descend(p, first, rates, { squares: second, weightDecay, epsilon });
    const expected = { parameter, first, second };
    const before = { parameter: p, first: m, second: v };
    for (const writes of [true, false]) {
      const states = Object.keys(before).map(
        (name) => new State(name, shape, 'float32', { kind: 'zeros' }),
      );
      const at = states.map(stateTensor) as [Tensor, Tensor, Tensor];
      const set = Object.values(before).map((value, i) => ops.assign(at[i] as Tensor, value));
      const guard = tensor([writes ? 1 : Number.NaN]);
      const [parameter, first, second] = set as [Tensor, Tensor, Tensor];
      const step = { parameter, first, second, gradient: g, rates, factor, guard };
      const effects = [ops.adam(step, options)];
      const wanted = writes ? expected : before;
      const graph = await compile(wanted, new Map(), { backend, effects });
      const results = Object.values(await graph.run({}));
      for (const [i, state] of states.entries()) {
        const found = [...(await backend.read(state))];
        expect(firstDifference(found, results[i]?.data ?? [], 1e-6, 1e-6)).toBeUndefined();
        state.dispose();
      }
      graph.dispose();
    }
  });

  it('take rows at a place that each run gives', async () => {
    const rows = new SymbolicDim('rows');
    const state = cache(6, 2);
    const at = input('at', [1], 'int32');
    const source = input('source', [rows, 2], 'float32');
    const written: Tensor = ops.append(stateTensor(state), source, at);
    const graph = await compile({ all: ops.scale(written, 1) }, new Map([[rows, 4]]), { backend });
    const append = async (first: number, values: number[]): Promise<number[]> => {
      const feeds = { at: Int32Array.of(first), source: Float32Array.from(values) };
      return [...(await graph.run(feeds, new Map([[rows, values.length / 2]]))).all.data];
    };
    expect(await append(0, [1, 2, 3, 4])).toEqual([1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(await append(2, [5, 6])).toEqual([1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0]);
    await expect(append(5, [7, 8, 9, 10])).rejects.toMatchObject({ name: 'HeddleError' });
    await expect(append(-1, [7, 8])).rejects.toMatchObject({ name: 'HeddleError' });
    expect([...(await backend.read(state))]).toEqual([1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0]);
  });

  it('stay as they were when a run fails', async () => {
    const state = new State('parameter', [3], 'float32', { kind: 'zeros' });
    const ids = input('ids', [1], 'int32');
    const table = new State('table', [4, 3], 'float32', { kind: 'zeros' });
    const write = ops.assign(stateTensor(state), ops.scale(stateTensor(state), 1, 1));
    const row = ops.embedding(stateTensor(table), ids);
    const graph = await compile({ row }, new Map(), { effects: [write], backend });
    await expect(graph.run({ ids: Int32Array.of(4) })).rejects.toMatchObject({
      name: 'HeddleError',
    });
    expect([...(await backend.read(state))]).toEqual([0, 0, 0]);
    await graph.run({ ids: Int32Array.of(3) });
    expect([...(await backend.read(state))]).toEqual([1, 1, 1]);
  });

  it('cannot be used after dispose', async () => {
    const state = cache(1, 1);
    state.dispose();
    const graph = compile({ y: ops.scale(stateTensor(state), 1) }, new Map(), { backend });
    await expect(graph).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });
});
