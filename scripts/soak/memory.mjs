/**
 * Embeds again and again and watches the resident memory, which must stay flat: less than 1 MB in 1000 calls after a
 * warm-up. Usage: node --expose-gc scripts/soak/memory.mjs [--calls 12800]
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { load } from '../../dist/index.mjs';
import { minilmFolder } from '../fetch-minilm.mjs';
import { slope } from './slope.mjs';

const { values } = parseArgs({ options: { calls: { type: 'string', default: '12800' } } });
const calls = Number(values.calls);
// Batches have `sizes` sizes in turn. Counted in calls, not in seconds: each size has been seen twice.
const sizes = 64;
const warmUp = 2 * sizes;
// A slope over a short run is mostly noise: allocators keep a few megabytes more or less.
const allowed = Math.max((calls - warmUp) / 1000, 8);
if (!(calls > 2 * warmUp)) throw new Error(`--calls: expected more than ${2 * warmUp}`);

const { texts } = JSON.parse(
  readFileSync(new URL('../../bench/texts.json', import.meta.url), 'utf8'),
);
const model = await load(await minilmFolder());
const begin = performance.now();
const samples = [];
for (let call = 0; call < calls; call++) {
  // Each shape is a plan or a place in one.
  const count = 1 + ((call * 37) % sizes);
  const start = (call * 11) % (texts.length - count);
  await model.embed(texts.slice(start, start + count));
  if (call < warmUp || call % 4 > 0) continue;
  globalThis.gc?.(); // garbage that waits to be collected is no leak
  samples.push([call, process.memoryUsage.rss() / 1e6]);
}
const seconds = Math.round((performance.now() - begin) / 1000);
model.dispose();

const growth = slope(samples) * (calls - warmUp);
const passed = growth <= allowed;
const { rss } = process.memoryUsage();
console.log(
  JSON.stringify({
    soak: 'memory',
    calls,
    seconds,
    rssMB: Math.round(rss / 1e6),
    growthMB: Number(growth.toFixed(2)),
    allowedMB: allowed,
    passed,
  }),
);
process.exit(passed ? 0 : 1);
