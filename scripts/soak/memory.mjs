/**
 * Embeds for a while and watches the resident memory, which must stay flat: less than 1 MB a minute after a
 * warm-up. Usage: node scripts/soak/memory.mjs [--seconds 600]
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { load } from '../../dist/index.mjs';
import { minilmFolder } from '../fetch-minilm.mjs';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '600' } } });
const seconds = Number(values.seconds);
const warmUp = Math.min(60, seconds / 3);
// A slope over a short run is mostly noise: allocators keep a few megabytes more or less.
const allowed = Math.max(1 * (seconds / 60), 8);

const { texts } = JSON.parse(
  readFileSync(new URL('../../bench/texts.json', import.meta.url), 'utf8'),
);
const model = await load(await minilmFolder());
const begin = performance.now();
const elapsed = () => (performance.now() - begin) / 1000;
const samples = [];
let calls = 0;
while (elapsed() < seconds) {
  // Batches of many sizes: each shape is a plan or a place in one.
  const count = 1 + ((calls * 37) % 64);
  const start = (calls * 11) % (texts.length - count);
  await model.embed(texts.slice(start, start + count));
  calls++;
  if (elapsed() > warmUp) samples.push([elapsed(), process.memoryUsage.rss() / 1e6]);
}
model.dispose();

const growth = slope(samples) * (seconds - warmUp);
const passed = growth <= allowed;
const { rss } = process.memoryUsage();
console.log(
  JSON.stringify({
    soak: 'memory',
    seconds,
    calls,
    rssMB: Math.round(rss / 1e6),
    growthMB: Number(growth.toFixed(2)),
    allowedMB: allowed,
    passed,
  }),
);
process.exit(passed ? 0 : 1);

/** Least squares: megabytes a second. */
function slope(points) {
  const mean = (i) => points.reduce((sum, point) => sum + point[i], 0) / points.length;
  const [t, m] = [mean(0), mean(1)];
  const above = points.reduce((sum, [x, y]) => sum + (x - t) * (y - m), 0);
  const below = points.reduce((sum, [x]) => sum + (x - t) ** 2, 0);
  return above / below;
}
