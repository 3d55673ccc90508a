/**
 * Starts workers and terminates them with runs and loads in flight: `node worker-cycles.mjs [cycles]
 * [--workers-only]`. With --workers-only the main thread never loads the addon. Prints one line of JSON;
 * exits 1 where a worker failed or where memory grew. How long the slowest terminate() took is told, and must be
 * at most 200 ms on an idle machine; on a busy one it says nothing, so it decides nothing.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { input, output, planWords, state } from '../../test/native/plan_words.mjs';

const self = fileURLToPath(import.meta.url);
const addonPath = fileURLToPath(new URL('../../build/Release/heddle.node', import.meta.url));
const loadAddon = () => createRequire(import.meta.url)(addonPath);
const size = 512;
// Bytes, from the second quarter to the last. In a short run the allocators are still filling their arenas: there,
// what counts is that a leak in every cycle would be more.
const mayGrow = (cycles) => (cycles >= 1000 ? 8 : 32) << 20;

/** Keeps the engine busy until it is terminated. */
async function work({ weights }) {
  const addon = loadAddon();
  const range = {
    path: weights,
    offset: 0,
    bytes: size * size * 4,
    dtype: 'F32',
    dims: [size, size],
  };
  const words = planWords({
    kernels: addon.kernels(),
    capacities: [size],
    values: [
      { kind: input, index: 0, dims: [-1, size] },
      { kind: state, index: 0, dims: [size, size] },
      { kind: output, index: 0, dims: [-1, size] },
    ],
    nodes: [{ kernel: 'linear', in: [0, 1, -1, -1], out: 2, ints: [0, 0] }],
  });
  const x = new Float32Array(size * size);
  for (;;) {
    const weight = await addon.loadState([range], 'float32', 'packed');
    const plan = addon.createPlan(words, [weight]);
    const runs = Array.from({ length: 8 }, () => addon.run(plan, [size], [x], null, null));
    parentPort.postMessage('busy');
    await Promise.all(runs);
    plan.release();
    weight.release();
  }
}

async function cycle(weights, slowest) {
  const worker = new Worker(self, { workerData: { weights } });
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  const begin = performance.now();
  await worker.terminate();
  return Math.max(slowest, performance.now() - begin);
}

/** All cycles in this process; a crash ends it. */
async function cycles(count, workersOnly) {
  if (!workersOnly) loadAddon();
  const folder = mkdtempSync(join(tmpdir(), 'heddle-cycles-'));
  const weights = join(folder, 'weights');
  writeFileSync(weights, new Float32Array(size * size).fill(0.5));
  let slowest = 0;
  const rss = [];
  for (let i = 0; i < count; i++) {
    slowest = await cycle(weights, slowest);
    if (i % Math.max(1, count >> 4) === 0) rss.push(process.memoryUsage.rss());
  }
  rmSync(folder, { recursive: true });
  // Medians, because memory goes up and down by a worker's heap.
  const quarter = rss.length >> 2;
  const grown = median(rss.slice(-quarter)) - median(rss.slice(quarter, 2 * quarter));
  return { slowestTerminateMs: Math.round(slowest), rssMb: rss.map((b) => b >> 20), grown };
}

/** Of at least one value; of none, 0. */
function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

if (!isMainThread) {
  await work(workerData);
} else if (process.argv.includes('--inside')) {
  const result = await cycles(Number(process.argv[2]), process.argv.includes('--workers-only'));
  console.log(JSON.stringify(result));
} else {
  const count = Number(process.argv[2] ?? 1000);
  const args = [self, String(count), '--inside', ...process.argv.slice(3)];
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
  });
  const crashed = status !== 0;
  const result = crashed ? {} : JSON.parse(stdout);
  const crashes = crashed ? 1 : 0;
  const where = process.argv.includes('--workers-only') ? 'workers only' : 'main and workers';
  console.log(JSON.stringify({ cycles: count, where, crashes, ...result }));
  if (crashed) process.stderr.write(`${signal ?? status}\n${stderr}`);
  process.exitCode = crashed || result.grown > mayGrow(count) ? 1 : 0;
}
