import { checkFloat, checkOptions } from '../graph/options.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import {
  anyFloat,
  checkIndices,
  dims,
  expectFloat32,
  expectInt32,
  fixed,
  float32,
} from './operands.js';

const gradientRule = registerOp<{ scale: number; entries: number }>({
  name: 'embeddingGradient',
  operands: ['gradient', 'ids'],
  infer([gradient, ids], { entries }) {
    const [rows, columns] = dims(float32(gradient, 'gradient'), 'gradient', ['rows', 'columns']);
    expectInt32(ids, 'ids', [rows]);
    return { shape: [entries, columns], dtype: 'float32' };
  },
  reference([gradient, ids], { scale, entries }, { shape, data }) {
    const columns = shape[1];
    checkIndices(ids, entries, 'ids').forEach((id, row) => {
      for (let i = 0; i < columns; i++) {
        data[id * columns + i] += gradient.data[row * columns + i] * scale;
      }
    });
  },
  lower: ({ scale }) => ({ kernel: 'embeddingGradient', ints: [], floats: [scale] }),
  cost: ([gradient, ids], _, output) => ({
    flops: 2 * (gradient.shape[0] ?? 0) * (gradient.shape[1] ?? 0),
    bytes: bytesOf(gradient) + bytesOf(ids) + bytesOf(output),
  }),
});

/** @param packed the table is a state that is kept packed for `linear`; only fusion says so. */
const rule = registerOp<{ scale: number; packed?: boolean }>({
  name: 'embedding',
  operands: ['table', 'ids', 'residual?'],
  infer([table, ids, residual], { scale }) {
    checkFloat('scale', scale);
    const [, columns] = dims(anyFloat(table, 'table'), 'table', ['entries', 'columns']);
    const rows = ids?.shape[0] ?? 0;
    expectInt32(ids, 'ids', [rows]);
    expectFloat32(residual, 'residual', [rows, columns]);
    return { shape: [rows, columns], dtype: 'float32' };
  },
  reference([table, ids, residual], { scale }, { shape, data }) {
    const columns = shape[1];
    checkIndices(ids, table.shape[0], 'ids').forEach((id, row) => {
      for (let i = 0; i < columns; i++) {
        const at = row * columns + i;
        data[at] = table.data[id * columns + i] * scale + (residual?.data[at] ?? 0);
      }
    });
  },
  lower: ({ scale, packed }) => ({
    kernel: packed ? 'embeddingPacked' : 'embedding',
    ints: [],
    floats: [scale],
  }),
  cost: ([, ids, residual], _, output) => ({
    flops: 0,
    bytes: 2 * bytesOf(output) + bytesOf(ids) + bytesOf(residual),
  }),
  gradient({ operands: [table, ids], attributes, gradient, wants }) {
    if (!wants(0)) return [undefined, undefined, gradient];
    const entries = fixed(table?.shape[0] ?? 0, 'table');
    return [record(gradientRule, [gradient, ids], { ...attributes, entries }), undefined, gradient];
  },
});

/**
 * Rows of a table: y[r] = table[ids[r]]·scale. table: [entries, columns], float32, float16, bfloat16 or int8; ids: int32 [rows],
 * a run-time input; an id outside the table is ERR_INPUT.
 */
export function embedding(table: Tensor, ids: Tensor, options: { scale?: number } = {}): Tensor {
  checkOptions('embedding', options, ['scale']);
  const { scale = 1 } = options;
  return record(rule, [table, ids], { scale });
}
