import { mismatch } from '../errors.js';
import { checkOptions } from '../graph/options.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import { record, type Tensor } from '../graph/tensor.js';
import { dims, fixed, float32 } from './operands.js';

type BucketAttributes = { bidirectional: boolean; maxDistance: number };

/**
 * The bucket of a distance (key minus query): half of them exact, the rest growing logarithmically up to
 * `maxDistance` (Raffel et al. 2020, section 2.1).
 */
export function relativeBucket(
  distance: number,
  buckets: number,
  bidirectional: boolean,
  maxDistance: number,
): number {
  const count = bidirectional ? Math.floor(buckets / 2) : buckets;
  const base = bidirectional && distance > 0 ? count : 0;
  const length = bidirectional ? Math.abs(distance) : Math.max(-distance, 0);
  const exact = Math.floor(count / 2);
  if (length < exact) return base + length;
  // In float32, as the models were trained: at powers of two the logarithm decides the bucket.
  const ratio = Math.fround(
    Math.fround(Math.log(Math.fround(length / exact))) / Math.fround(Math.log(maxDistance / exact)),
  );
  const grown = exact + Math.trunc(Math.fround(ratio * (count - exact)));
  return base + Math.min(grown, count - 1);
}

const gradientRule = registerOp<BucketAttributes & { buckets: number }>({
  name: 'relativeBiasGradient',
  operands: ['gradient'],
  infer([gradient], { buckets }) {
    const [heads] = dims(float32(gradient, 'gradient'), 'gradient', ['heads', '2·distance + 1']);
    return { shape: [buckets, heads], dtype: 'float32' };
  },
  reference([gradient], { bidirectional, maxDistance }, { shape: [buckets, heads], data }) {
    const width = gradient.shape[1];
    for (let column = 0; column < width; column++) {
      const bucket = relativeBucket(column - maxDistance, buckets, bidirectional, maxDistance);
      for (let head = 0; head < heads; head++) {
        data[bucket * heads + head] += gradient.data[head * width + column];
      }
    }
  },
  lower: ({ bidirectional, maxDistance }) => ({
    kernel: 'relativeBiasGradient',
    ints: [Number(bidirectional), maxDistance],
    floats: [],
  }),
  cost: ([gradient], _, output) => ({
    flops: (gradient.shape[0] ?? 0) * (gradient.shape[1] ?? 0),
    bytes: bytesOf(gradient) + bytesOf(output),
  }),
});

const rule = registerOp<BucketAttributes>({
  name: 'relativeBias',
  operands: ['table'],
  infer([table], { maxDistance }) {
    const [buckets, heads] = dims(float32(table, 'table'), 'table', ['buckets', 'heads']);
    if (fixed(buckets, 'table') < 2 || !(maxDistance > 0)) {
      throw mismatch(
        'ERR_ARGUMENT',
        'relativeBias',
        'buckets ≥ 2 and distances > 0',
        `${buckets}, ${maxDistance}`,
      );
    }
    return { shape: [heads, 2 * maxDistance + 1], dtype: 'float32' };
  },
  reference([table], { bidirectional, maxDistance }, { shape, data }) {
    const [heads, width] = shape;
    const buckets = table.shape[0];
    for (let column = 0; column < width; column++) {
      const bucket = relativeBucket(column - maxDistance, buckets, bidirectional, maxDistance);
      for (let head = 0; head < heads; head++) {
        data[head * width + column] = table.data[bucket * heads + head];
      }
    }
  },
  lower: ({ bidirectional, maxDistance }) => ({
    kernel: 'relativeBias',
    ints: [Number(bidirectional), maxDistance],
    floats: [],
  }),
  cost: ([table], _, output) => ({ flops: 0, bytes: bytesOf(table) + bytesOf(output) }),
  gradient({ operands: [table], attributes, gradient }) {
    const buckets = fixed(table?.shape[0] ?? 0, 'table');
    return [record(gradientRule, [gradient], { ...attributes, buckets })];
  },
});

/**
 * The bias of `attention` (kind `relative`) from a table of buckets. table: float32 [buckets, heads].
 * Distances beyond `maxDistance` share a bucket, so that is as far as the result reaches.
 * @returns float32 [heads, 2·maxDistance + 1]; column i is the distance i − maxDistance, key minus query.
 */
export function relativeBias(table: Tensor, options: Partial<BucketAttributes> = {}): Tensor {
  checkOptions('relativeBias', options, ['bidirectional', 'maxDistance']);
  const { bidirectional = true, maxDistance = 128 } = options;
  return record(rule, [table], { bidirectional, maxDistance });
}
