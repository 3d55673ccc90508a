/** Plans of products: `linear` with a packed weight of any type, and `matmul` with neither side packed. */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addon } from './addon.mjs';
import { repeatedSteps } from './plan.mjs';
import { randomFloats } from './random.mjs';

/** How x is multiplied with a weight of each type; int8 and int4 pay for quantising x every time. */
const stepsOf = {
  float32: (m, n) => [linear(m, n, 0)],
  bfloat16: (m, n) => [linear(m, n, 1)],
  int8: (m, n, k) => [
    { kernel: 'quantizeRows', in: ['x'], out: 'rows', dims: [m, k], dtype: 'int8' },
    { ...linear(m, n), kernel: 'linearInt8', in: ['rows', 'weight', null, null], ints: [0] },
  ],
  int4: (m, n, k) => [
    { kernel: 'quantizeBlocks', in: ['x'], out: 'blocks', dims: [m, k], dtype: 'int8Blocks' },
    { ...linear(m, n), kernel: 'linearInt4', in: ['blocks', 'weight', null, null], ints: [0] },
  ],
};

const linear = (m, n, roundInputs) => ({
  kernel: 'linear',
  in: ['x', 'weight', null, null],
  out: 'y',
  dims: [m, n],
  ints: [0, roundInputs],
});

/** `repeats` times y = x·Wᵀ for float32 x [m,k] and W [n,k] of `dtype`, packed. */
export async function linearPlan(m, k, n, repeats, dtype = 'float32') {
  const weight = await packedWeight(n, k, dtype);
  const plan = repeatedSteps({
    operands: {
      x: { kind: 'input', dims: [m, k] },
      weight: { kind: 'state', dims: [n, k], dtype },
    },
    steps: stepsOf[dtype](m, n, k),
    states: [weight],
    repeats,
  });
  const release = () => {
    plan.release();
    weight.release();
  };
  return { ...plan, x: randomFloats(m * k), weightBytes: weight.bytes, release };
}

/** `repeats` times c = a·b, [m,k] by [k,n], either stored transposed: the products of training. */
export function matmulPlan(m, k, n, repeats, { transposeA = false, transposeB = false }) {
  const plan = repeatedSteps({
    operands: {
      a: { kind: 'input', dims: transposeA ? [k, m] : [m, k] },
      b: { kind: 'input', dims: transposeB ? [n, k] : [k, n] },
    },
    steps: [
      {
        kernel: 'matmul',
        in: ['a', 'b', null, null],
        out: 'c',
        dims: [m, n],
        ints: [Number(transposeA), Number(transposeB), 0, 0],
      },
    ],
    repeats,
  });
  return { ...plan, inputs: [randomFloats(m * k), randomFloats(k * n)] };
}

/** Packing happens where weights are loaded from files, so this one goes through a file. */
async function packedWeight(n, k, dtype) {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'));
  try {
    const path = join(folder, 'weight');
    writeFloats(path, n * k);
    const range = { path, offset: 0, bytes: 4 * n * k, dtype: 'F32', dims: [n, k] };
    return await addon().loadState([range], dtype, 'packed');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The same few megabytes again and again: large weights need not be all different, only large. */
function writeFloats(path, count) {
  const block = randomFloats(Math.min(count, 2 ** 20));
  const file = openSync(path, 'w');
  for (let left = count; left > 0; left -= block.length) {
    writeSync(file, left < block.length ? block.subarray(0, left) : block);
  }
  closeSync(file);
}
