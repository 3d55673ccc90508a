/**
 * One step of interacting particles: the velocities of n of them under self-attention, Q = K = V = I, as an integrator asks for
 * them, against NumPy in float32: in blocks of rows, of the size that is quickest for it, and as one writes it first. Float64
 * positions, projection onto the sphere and what goes between JavaScript and the kernels count on our side.
 */
import { particles } from '../dist/index.mjs';
import { alternate } from './alternate.mjs';
import { threadCount } from './instruction_sets.mjs';
import { Peer, python, script } from './peer.mjs';
import { row } from './row.mjs';

const cases = [
  { n: 20_000, d: 64, form: 'blocked' },
  { n: 20_000, d: 64, form: 'unblocked' },
  { n: 20_000, d: 3, form: 'blocked' },
];
const quickCases = [{ n: 4000, d: 64, form: 'blocked' }];

export async function bench({ quick, threads, only, log }) {
  const peer = await Peer.start('NumPy', python, [script('particles.py')], threadCount(threads));
  const results = [];
  for (const { n, d, form } of quick ? quickCases : cases) {
    const kase = `n = ${n}, d = ${d}, ${form}`;
    if (only && !only.test(kase)) continue;
    const theirs = peer.measure({ n, d, form });
    const result = await alternate({ ours: steps(n, d), theirs, quick });
    const amount = (n * n) / 1e6; // so that it is pairs a nanosecond
    const common = { name: 'particles', kase, shape: [n, d], threads, unit: '10⁹ pairs/s' };
    results.push(row({ ...common, amount, result, peer }));
    log(kase);
  }
  await peer.stop();
  return results;
}

/** Milliseconds of an evaluation: of the first step's, which are seven and those of steps that were too long. */
function steps(n, d) {
  return async () => {
    const enough = new AbortController();
    let begin;
    let ms;
    const run = particles({
      ...{ n, d, beta: 1, time: 10, samples: 2, signal: enough.signal },
      onSample() {
        begin = performance.now();
      },
      onProgress({ evaluations }) {
        ms = (performance.now() - begin) / evaluations;
        enough.abort();
      },
    });
    await run.catch((error) => {
      if (error !== enough.signal.reason) throw error;
    });
    return [ms];
  };
}
