/**
 * One row times a weight that is larger than the last cache, as in generating a token: the weight is read once, so the
 * memory's bandwidth bounds it. Beside each type of weight the bandwidth at which a plain sum reads as many bytes, in turn.
 */
import { readFileSync } from 'node:fs';
import { addon } from './addon.mjs';
import { alternateWith } from './alternate.mjs';
import { threadCount } from './instruction_sets.mjs';
import { linearPlan } from './linear.mjs';
import { Peer, program } from './peer.mjs';
import { repeatedSteps, stepTimes } from './plan.mjs';
import { row } from './row.mjs';

const k = 4096;
const quickTypes = ['bfloat16'];
const bytesOf = { float32: 4, bfloat16: 2, int8: 1, int4: 20 / 32 };

export async function bench({ quick, threads, dtype: only, log }) {
  const bytes = (quick ? 2 : 4) * lastCache();
  const sum = await sumPlan(bytes);
  const results = [];
  for (const [dtype, size] of Object.entries(bytesOf)) {
    if (quick && !quickTypes.includes(dtype)) continue;
    if (only && dtype !== only) continue;
    const n = Math.round(bytes / size / k / 64) * 64;
    const plan = await linearPlan(1, k, n, 2, dtype);
    const reading = { name: 'reading memory', measure: stepTimes(sum, []) };
    const contestants = [reading, ...(dtype === 'float32' ? await blas(n, threads) : [])];
    const outcomes = await alternateWith({
      ours: stepTimes(plan, [plan.x]),
      peers: contestants.map(({ measure }) => measure),
      quick,
    });
    plan.release();
    for (const [i, contestant] of contestants.entries()) {
      const common = { name: 'gemv', kase: `1x${k}x${n}`, shape: [1, k, n], threads, dtype };
      const amount = bytes / 1e6;
      const result = outcomes[i];
      const share = outcomes[0].theirs / outcomes[0].ours;
      const more = { shareOfBandwidth: Number(share.toPrecision(3)) };
      results.push(row({ ...common, unit: 'GB/s', amount, result, peer: contestant, more }));
      await contestant.stop?.();
    }
    log(dtype);
  }
  sum.release();
  return results;
}

/** Σ over each row of as many bytes as the weights have; of ones, because untouched zeros are all one page. */
async function sumPlan(bytes) {
  const dims = [bytes / 4 / k, k];
  const data = new Float32Array(bytes / 4).fill(1);
  const state = addon().createState('float32', dims, data);
  const plan = repeatedSteps({
    operands: { x: { kind: 'state', dims } },
    steps: [{ kernel: 'sumRows', in: ['x'], out: 'y', dims: [dims[0]] }],
    states: [state],
    repeats: 2,
  });
  const release = () => {
    plan.release();
    state.release();
  };
  return { ...plan, release };
}

async function blas(n, threads) {
  const peer = await Peer.start('OpenBLAS', program('openblas'), [], threadCount(threads));
  const contestant = await peer.prepared({ m: 1, k, n, form: 'packed', dtype: 'float32' });
  return [{ ...contestant, stop: () => peer.stop() }];
}

/** Bytes, as Linux tells; where it does not, 32 MiB. */
function lastCache() {
  try {
    const text = readFileSync('/sys/devices/system/cpu/cpu0/cache/index3/size', 'utf8');
    const [, count, unit] = /^(\d+)([KM])/.exec(text);
    return Number(count) * (unit === 'K' ? 2 ** 10 : 2 ** 20);
  } catch {
    return 2 ** 25;
  }
}
