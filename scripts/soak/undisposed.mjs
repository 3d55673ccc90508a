/**
 * Makes native tensors of 4 MB and forgets them without `release`: the garbage collector is told of their size,
 * so it must come in time. Usage: node scripts/soak/undisposed.mjs [--tensors 10000]
 */
import { createRequire } from 'node:module';
import { setImmediate as turn } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { tensors: { type: 'string', default: '10000' } } });
const tensors = Number(values.tensors);
const limit = 500; // MB, of the process
const addon = createRequire(import.meta.url)('../../build/Release/heddle.node');

let most = 0;
for (let i = 0; i < tensors; i++) {
  addon.createState('float32', [1024, 1024], new Float32Array(1024 * 1024).fill(1)); // touches every page
  await turn(); // finalizers run between turns of the event loop
  most = Math.max(most, process.memoryUsage.rss() / 1e6);
}
const passed = most <= limit;
console.log(
  JSON.stringify({
    soak: 'undisposed',
    tensors,
    mostRssMB: Math.round(most),
    limitMB: limit,
    passed,
  }),
);
process.exit(passed ? 0 : 1);
