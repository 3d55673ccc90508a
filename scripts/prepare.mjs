/**
 * Compiles lib/ into dist/ where dist/ is older than its sources. Does nothing in an install without
 * devDependencies: a published package brings its dist/ along.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = ['lib', 'tsdown.config.ts', 'tsconfig.json', 'package.json'];
const products = ['index.mjs', 'index.cjs', 'index.d.mts', 'cli.mjs'].map((f) => join('dist', f));

/** Time of the newest file at or under a path. */
function newest(path) {
  const entry = statSync(join(root, path));
  if (!entry.isDirectory()) return entry.mtimeMs;
  return Math.max(
    entry.mtimeMs, // changes when a file is deleted
    ...readdirSync(join(root, path)).map((name) => newest(join(path, name))),
  );
}

function isStale() {
  if (!products.every((path) => existsSync(join(root, path)))) return true;
  const built = Math.min(...products.map((path) => statSync(join(root, path)).mtimeMs));
  return Math.max(...sources.map(newest)) > built;
}

function tsdown() {
  try {
    return createRequire(import.meta.url).resolve('tsdown/run');
  } catch {
    return undefined;
  }
}

const compiler = tsdown();
if (compiler !== undefined && existsSync(join(root, 'lib')) && isStale()) {
  const { status } = spawnSync(process.execPath, [compiler, '--log-level', 'error'], {
    cwd: root,
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
}
