/**
 * What `heddle estimate` says of memory for inference, beside what a process then has resident:
 *
 *   node scripts/estimate-memory.mjs MODEL [MODEL ...]
 *
 * Each model (a folder or a hub id) is loaded and run in processes of its own, on 1 text of 512 tokens and on 8 of 256; a
 * decoder writes the last 8. Measured is by how much anonymous resident memory has grown since before the model was loaded,
 * less that of V8's heap, which has the tokenizer and the program and is shown beside it. Linux only. Exits with 1 where the two differ by
 * more than a tenth.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { load } from '../dist/index.mjs';

const workloads = [
  [1, 512],
  [8, 256],
];
const mostDifference = 0.1;
const written = 8;

const [, script, ...given] = process.argv;
if (given.length === 0) {
  console.error('usage: node scripts/estimate-memory.mjs MODEL [MODEL ...]');
  process.exitCode = 2;
} else if (given[0] === '--measure') {
  const [, model, batch, length] = given;
  console.log(JSON.stringify(await measured(model, Number(batch), Number(length))));
} else {
  process.exitCode = (await compare(given)) ? 0 : 1;
}

/** @returns whether all are near enough. */
async function compare(models) {
  const run = promisify(execFile);
  const node = async (...args) => JSON.parse((await run(process.execPath, args)).stdout);
  const command = fileURLToPath(new URL('../dist/cli.mjs', import.meta.url));
  let isNear = true;
  for (const model of models) {
    for (const [batch, length] of workloads.map((sizes) => sizes.map(String))) {
      const sizes = ['--batch', batch, '--length', length];
      const { memory } = await node(command, 'estimate', model, ...sizes, '--json');
      const { total } = memory.inference;
      const { engine, heap } = await node('--expose-gc', script, '--measure', model, batch, length);
      const difference = total / engine - 1;
      isNear &&= Math.abs(difference) <= mostDifference;
      const [said, found, more] = [total, engine, heap].map(
        (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`,
      );
      const percent = `${(100 * difference).toFixed(1)} %`;
      console.log(`${model}, ${batch} × ${length}:`);
      console.log(`  estimate ${said}, measured ${found} (${percent}), V8's heap ${more} more`);
    }
  }
  return isNear;
}

/** Bytes that a model takes, when it has run. */
async function measured(source, batch, length) {
  const before = resident();
  const model = await load(source);
  const inputIds = Array.from({ length: batch }, (_, text) =>
    Array.from({ length }, (_, i) => 1000 + ((31 * text + 7 * i) % 997)),
  );
  if (model.kind === 'encoder') {
    await model.forward({ inputIds });
  } else {
    const prompts = inputIds.map((ids) => ({ inputIds: ids.slice(written) }));
    await model.generate(prompts, { maxNewTokens: written, minNewTokens: written });
  }
  const { anonymous, heap } = resident();
  model.dispose();
  return { engine: anonymous - before.anonymous - (heap - before.heap), heap: heap - before.heap };
}

/** Bytes of memory that is no file's, and of V8's heap, which is part of it. */
function resident() {
  globalThis.gc();
  globalThis.gc(); // the first one finds results that nobody holds, the second gives their memory back
  const [, kilobytes] = /^Anonymous:\s+(\d+) kB$/m.exec(
    readFileSync('/proc/self/smaps_rollup', 'utf8'),
  );
  return { anonymous: 1024 * Number(kilobytes), heap: process.memoryUsage().heapTotal };
}
