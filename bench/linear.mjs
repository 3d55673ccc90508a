/** Plans of `linear` with a packed weight, float32. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addon } from './addon.mjs';
import { repeatedKernel } from './plan.mjs';
import { randomFloats } from './random.mjs';

/** `repeats` times y = x·Wᵀ for x [m,k] and W [n,k]. */
export async function linearPlan(m, k, n, repeats) {
  const weight = await packedWeight(n, k);
  const plan = repeatedKernel({
    kernel: 'linear',
    operands: [{ kind: 'input', dims: [m, k] }, { kind: 'state', dims: [n, k] }, null, null],
    states: [weight],
    outputDims: [m, n],
    ints: [0, 0],
    floats: [],
    repeats,
  });
  const release = () => {
    plan.release();
    weight.release();
  };
  return { plan, x: randomFloats(m * k), release };
}

/** Packing happens where weights are loaded from files, so this one goes through a file. */
async function packedWeight(n, k) {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'));
  try {
    const path = join(folder, 'weight');
    writeFileSync(path, randomFloats(n * k));
    const range = { path, offset: 0, bytes: 4 * n * k, dtype: 'F32', dims: [n, k] };
    return await addon().loadState(range, 'float32', 'packed');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
