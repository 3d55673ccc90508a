/** The command `heddle` of this checkout, as the examples call it. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const command = fileURLToPath(new URL('../dist/cli.mjs', import.meta.url));
if (!existsSync(command)) {
  console.error('examples: Heddle is not built yet; npm install builds it');
  process.exit(1);
}

/**
 * An example's arguments: `steps` of its training, where they are given, further options of its own, and what stands beside them,
 * at most so many. A wrong one ends the example with its usage.
 */
export function exampleArguments(usage, { options = {}, most = 1 } = {}) {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { steps: { type: 'string' }, ...options },
    });
    const { steps = '1' } = values;
    if (!/^[1-9]\d{0,8}$/.test(steps)) throw new Error('--steps: not a whole number from 1');
    if (positionals.length > most) throw new Error(`${positionals[most]}: one argument too many`);
    return { ...values, ...(values.steps ? { steps: Number(steps) } : {}), positionals };
  } catch (error) {
    failUsage(usage, error.message);
  }
}

export function failUsage(usage, reason) {
  console.error(`${reason}\nusage: node examples/${usage}`);
  process.exit(2);
}

/** Runs `heddle` on this terminal. Where it fails, it has said why: the example ends with its exit code. */
export async function heddle(...args) {
  console.error(`$ heddle ${args.join(' ')}`);
  const child = spawn(process.execPath, [command, ...args], { stdio: 'inherit' });
  const code = await new Promise((resolve) => child.on('exit', (status) => resolve(status ?? 1)));
  if (code !== 0) process.exit(code);
}

/**
 * Writes a run's config.json and data into a folder, and trains anew: an earlier run there is removed.
 * @param files contents by name. @returns the folder of the model, whose weights are those of the best evaluation, and what came of
 * the test.
 */
export async function train(folder, config, files) {
  const output = join(folder, 'run');
  await rm(output, { recursive: true, force: true });
  await writeFiles(folder, { ...files, 'config.json': `${JSON.stringify(config, null, 2)}\n` });
  await heddle('train', join(folder, 'config.json'));
  const lines = (await readFile(join(output, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  return { model: join(output, 'model'), test: JSON.parse(lines.at(-1)).test };
}

export async function writeFiles(folder, files) {
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}

export const lines = (rows) => rows.map((row) => `${row.join('\t')}\n`).join('');

export const percent = (share) => `${(100 * share).toFixed(1)} %`;
