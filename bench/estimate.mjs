/** A cold start of `heddle estimate`, from the shell's call to the whole document, beside Node's own that does nothing. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addon } from './addon.mjs';
import { alternate } from './alternate.mjs';
import { peersHome } from './peer.mjs';

const command = fileURLToPath(new URL('../dist/cli.mjs', import.meta.url));

const gpt2 = ['--layers', '12', '--hidden', '768', '--heads', '12', '--vocabulary', '50257'];
const checkpoint = join(peersHome, 'models', 'smollm2-bfloat16');
const cases = [
  ['GPT-2 of plain sizes', gpt2],
  ...(existsSync(checkpoint) ? [['SmolLM2-135M from its folder', [checkpoint]]] : []),
];

export async function bench({ quick, threads, only, log }) {
  const results = [];
  for (const [kase, args] of cases) {
    if (only && !only.test(kase)) continue;
    const ours = starts([command, 'estimate', ...args, '--json']);
    const {
      ours: heddle,
      theirs,
      runs,
      spread,
    } = await alternate({ ours, theirs: starts(['-e', '0']), quick });
    results.push({
      name: 'estimate',
      case: kase,
      heddle: Number(heddle.toPrecision(4)),
      peer: Number(theirs.toPrecision(4)),
      peerName: 'node -e 0',
      ratio: Number((theirs / heddle).toPrecision(4)),
      unit: 'ms',
      threads,
      isa: addon().info().isa,
      runs,
      spread: Number(spread.toPrecision(4)),
    });
    log(kase);
  }
  return results;
}

/** Milliseconds of each of some processes, one after the other. */
function starts(args) {
  return async (reps) => {
    const times = [];
    for (let i = 0; i < reps; i++) {
      const begin = performance.now();
      await new Promise((resolve, reject) => {
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
        child.on('error', reject);
        child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`exit ${code}`))));
      });
      times.push(performance.now() - begin);
    }
    return times;
  };
}
