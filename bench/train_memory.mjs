/** A process of its own for bench/train.mjs: prints the peak memory of training steps beyond that of the idle process. */
import { readFileSync } from 'node:fs';
import { addon, startEngine } from './addon.mjs';
import { gpt2Step } from './train_models.mjs';

const [, , folder, threads] = process.argv;
const heddle = await import('../dist/index.mjs');
await startEngine();
addon().setThreads(Number(threads));
// Not getrusage's: a child inherits what its parent had when it forked.
const peak = () =>
  Number(/VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
const idle = peak();
const step = await gpt2Step(heddle, folder);
for (let i = 0; i < 3; i++) await step.run();
console.log(JSON.stringify({ mib: peak() - idle }));
process.exit();
