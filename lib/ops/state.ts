import { HeddleError, mismatch } from '../errors.js';
import { bytesOf, registerOp, ruleOf } from '../graph/rules.js';
import { expectTensor, record, type Tensor } from '../graph/tensor.js';
import { dims, expectFloat32, expectInt32, float32 } from './operands.js';

const assignRule = registerOp<Record<string, never>>({
  name: 'assign',
  operands: ['state', 'source', 'guard?'],
  writes: [0],
  infer([state, source, guard]) {
    const { shape } = float32(state, 'state');
    expectFloat32(source, 'source', shape);
    expectFloat32(guard, 'guard', [1]);
    return { shape, dtype: 'float32' };
  },
  reference([, source, guard], _, { data }) {
    if (source && Number.isFinite(guard?.data[0] ?? 0)) data.set(source.data);
  },
  lower: () => ({ kernel: 'assign', operands: [1, 2], ints: [], floats: [] }),
  cost: ([, source], _, output) => ({ flops: 0, bytes: bytesOf(source) + bytesOf(output) }),
});

const appendRule = registerOp<Record<string, never>>({
  name: 'append',
  operands: ['state', 'source', 'at'],
  writes: [0],
  infer([state, source, at]) {
    const [capacity, columns] = dims(float32(state, 'state'), 'state', ['capacity', 'columns']);
    const [, width] = dims(float32(source, 'source'), 'source', ['rows', 'columns']);
    if (width !== columns) throw mismatch('ERR_SHAPE', 'source', `${columns} columns`, `${width}`);
    expectInt32(at, 'at', [1]);
    return { shape: [capacity, columns], dtype: 'float32' };
  },
  reference([state, source, at], _, { data }) {
    if (!state || !source) return;
    const [capacity, columns] = state.shape;
    const first = at.data[0];
    const last = capacity - source.shape[0];
    if (!(first >= 0 && first <= last)) {
      throw mismatch('ERR_INPUT', 'at', `a row from 0 to ${last}`, `${first}`);
    }
    data.set(source.data, first * columns);
  },
  lower: () => ({ kernel: 'append', operands: [1, 2], ints: [], floats: [] }),
  cost: ([, source]) => ({ flops: 0, bytes: 2 * bytesOf(source) }),
});

/** Throws ERR_ARGUMENT unless `state` is one, or what a write made of one. */
export function checkState(state: Tensor, op: string): void {
  expectTensor(state, `${op}: state`);
  const { source } = state;
  const isWrite = source.kind === 'op' && ruleOf(source.op).writes !== undefined;
  if (source.kind !== 'state' && !isWrite) {
    throw new HeddleError(
      'ERR_ARGUMENT',
      `${op}: expected a state to write to, found a computed value`,
    );
  }
}

/**
 * Overwrites a state, float32, with values of its shape. @param guard float32 [1]: where it is not finite when the plan
 * runs, the state stays as it is. @returns the state as it is afterwards.
 */
export function assign(state: Tensor, source: Tensor, guard?: Tensor): Tensor {
  checkState(state, 'assign');
  return record(assignRule, [state, source, guard], {});
}

/**
 * Writes rows into a state. state: float32 [capacity, columns]; source: float32 [rows, columns]; at: int32 [1], a run-time
 * input, the first row to write; rows past the capacity are ERR_INPUT. @returns the state as it is afterwards.
 */
export function append(state: Tensor, source: Tensor, at: Tensor): Tensor {
  checkState(state, 'append');
  return record(appendRule, [state, source, at], {});
}
