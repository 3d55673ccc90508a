/**
 * Writes thousands of short texts, some of which are aborted or left, and watches the resident memory, which must stay flat:
 * less than 1 MB in 1000 texts after a warm-up. Usage: node --expose-gc scripts/soak/generation.mjs MODEL [--texts 4000]
 */
import { parseArgs } from 'node:util';
import { load } from '../../dist/index.mjs';
import { slope } from './slope.mjs';

const { values, positionals } = parseArgs({
  options: { texts: { type: 'string', default: '4000' } },
  allowPositionals: true,
});
const texts = Number(values.texts);
const warmUp = 500;
// A slope over a short run is mostly noise: allocators keep a few megabytes more or less.
const allowed = Math.max((texts - warmUp) / 1000, 8);
if (!(texts > 2 * warmUp)) throw new Error(`--texts: expected more than ${2 * warmUp}`);
if (positionals.length !== 1) throw new Error('expected the folder of a language model');

const model = await load(positionals[0]);
const options = { maxNewTokens: 8, eosTokenId: null };
const begin = performance.now();
const samples = [];
for (let text = 0; text < texts; text += 4) {
  const prompts = [0, 1, 2, 3].map((i) => ({
    inputIds: Array.from(
      { length: 1 + ((text * 7 + i * 13) % 60) },
      (_, k) => 3 + ((k * 31 + text) % 57),
    ),
  }));
  const abort = new AbortController();
  const onProgress = ({ tokens }) => tokens > 12 && abort.abort(new Error('enough'));
  await Promise.all([
    model.generate(prompts.slice(0, 2), options),
    model.generate(prompts[2], { ...options, numBeams: 3, signal: abort.signal, onProgress }).then(
      () => Promise.reject(new Error('the abort was not heard')),
      (error) => error.message === 'enough' || Promise.reject(error),
    ),
    leave(model.stream(prompts[3], options)),
  ]);
  if (text < warmUp || text % 16 > 0) continue;
  globalThis.gc?.(); // garbage that waits to be collected is no leak
  samples.push([text, process.memoryUsage.rss() / 1e6]);
}
const seconds = Math.round((performance.now() - begin) / 1000);
model.dispose();

const growth = slope(samples) * (texts - warmUp);
const passed = growth <= allowed;
console.log(
  JSON.stringify({
    soak: 'generation',
    texts,
    seconds,
    rssMB: Math.round(process.memoryUsage().rss / 1e6),
    growthMB: Number(growth.toFixed(2)),
    allowedMB: allowed,
    passed,
  }),
);
process.exit(passed ? 0 : 1);

async function leave(stream) {
  for await (const _ of stream) break;
}
