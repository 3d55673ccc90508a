/** Plans of products with a packed weight, of any dtype. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addon } from './addon.mjs';
import { nodeTimes, repeatedKernel } from './plan.mjs';
import { randomFloats } from './random.mjs';

/** How x is made ready for weights of a dtype, and what it then takes; floats are taken as they are. */
const quantizers = {
  int8: (m, k) => ({
    kernel: 'quantizeRows',
    dtype: 'int8',
    bytes: Math.ceil((m * k) / 4) * 4 + 8 * m,
  }),
  int4: (m, k) => ({
    kernel: 'quantizeBlocks',
    dtype: 'int8Blocks',
    bytes: m * Math.ceil(k / 32) * 40,
  }),
};
const kernels = { int8: 'linearInt8', int4: 'linearInt4' };

/**
 * `repeats` times y = x·Wᵀ for x [m,k] and W [n,k] of `dtype`, the rounding of x included.
 * @returns `times`: a contestant (alternate.mjs); `bytes`: those of the weight.
 */
export async function linearPlan(m, k, n, repeats, dtype = 'float32') {
  const weight = await packedWeight(n, k, dtype);
  const quantize = quantizers[dtype]?.(m, k);
  const plan = repeatedKernel({
    kernel: kernels[dtype] ?? 'linear',
    operands: [{ kind: 'input', dims: [m, k] }, { kind: 'state', dtype, dims: [n, k] }, null, null],
    states: [weight],
    outputDims: [m, n],
    ints: quantize ? [0] : [0, Number(dtype === 'bfloat16')],
    floats: [],
    repeats,
    quantize,
  });
  const release = () => {
    plan.release();
    weight.release();
  };
  const x = randomFloats(m * k);
  const times = nodeTimes(plan, [x], repeats, quantize ? 2 : 1);
  return { plan, x, times, bytes: weight.bytes, release };
}

/** Packing happens where weights are loaded from files, so this one goes through a file. */
async function packedWeight(n, k, dtype) {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'));
  try {
    const path = join(folder, 'weight');
    writeFileSync(path, randomFloats(n * k));
    const range = { path, offset: 0, bytes: 4 * n * k, dtype: 'F32', dims: [n, k] };
    return await addon().loadState(range, dtype, 'packed');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
