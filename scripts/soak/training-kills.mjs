/**
 * Kills a training run, with a checkpoint at every step, again and again at random moments. Each time the newest checkpoint must
 * open, and the run must go on from it. Usage: node scripts/soak/training-kills.mjs [--kills 200]
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { load } from '../../dist/index.mjs';

const { values } = parseArgs({ options: { kills: { type: 'string', default: '200' } } });
const kills = Number(values.kills);
if (!(kills > 0)) throw new Error('--kills: expected a number above 0');

const command = fileURLToPath(new URL('../../dist/cli.mjs', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'heddle-kills-'));
const checkpoints = join(folder, 'run', 'checkpoints');
const config = join(folder, 'config.json');
await writeFile(
  join(folder, 'data.txt'),
  'the quick brown fox jumps over the lazy dog\n'.repeat(200),
);
await writeFile(
  config,
  JSON.stringify({
    task: 'language-model',
    model: {
      architectures: ['GPT2LMHeadModel'],
      n_embd: 32,
      n_layer: 1,
      n_head: 2,
      n_positions: 32,
    },
    tokenizer: 'characters',
    data: 'data.txt',
    output: 'run',
    steps: 1_000_000,
    batchTokens: 64,
    checkpointEvery: 1,
  }),
);

let reached = 0;
for (let kill = 1; kill <= kills; kill++) {
  const run = spawn(process.execPath, [command, 'train', config, '--resume', '--json'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  run.stderr.on('data', (text) => {
    said += text;
  });
  const ended = new Promise((resolve) => run.once('close', resolve));
  while (!said.includes('\n') && run.exitCode === null) await setTimeout(10);
  await setTimeout(100 + 900 * Math.random());
  if (run.exitCode !== null) throw new Error(`run ${kill} ended by itself: ${said}`);
  run.kill('SIGKILL');
  await ended;
  const from = Number(/from step (\d+)/.exec(said)?.[1] ?? 0);
  if (from !== reached) throw new Error(`run ${kill} went on from ${from}, not ${reached}`);
  const names = (await readdir(checkpoints)).filter((name) => name.startsWith('step-')).sort();
  const newest = names.at(-1);
  if (newest === undefined) continue;
  (await load(join(checkpoints, newest))).dispose();
  reached = Number(newest.slice('step-'.length));
}
await rm(folder, { recursive: true });
console.log(`${kills} kills, 0 checkpoints that did not open; step ${reached}`);
