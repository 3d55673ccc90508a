/** The command `heddle` of this checkout, as the examples call it. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const command = fileURLToPath(new URL('../dist/cli.mjs', import.meta.url));
if (!existsSync(command)) {
  console.error('examples: Heddle is not built yet; npm install builds it');
  process.exit(1);
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
 * @param files contents by name. @returns the folder of the model, and where there are evaluations the one with the lowest loss, whose
 * weights it has.
 */
export async function train(folder, config, files) {
  const output = join(folder, 'run');
  await rm(output, { recursive: true, force: true });
  await writeFiles(folder, { ...files, 'config.json': `${JSON.stringify(config, null, 2)}\n` });
  await heddle('train', join(folder, 'config.json'));
  const lines = (await readFile(join(output, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  const evaluations = lines.map((line) => JSON.parse(line)).filter((line) => line.evaluation);
  const [best] = evaluations.sort((a, b) => a.evaluation.loss - b.evaluation.loss);
  return { model: join(output, 'model'), step: best?.step, ...best?.evaluation };
}

export async function writeFiles(folder, files) {
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}

export const percent = (share) => `${(100 * share).toFixed(1)} %`;
