import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, release, type } from 'node:os';
import { addon } from './addon.mjs';

/** What the figures were measured on, by which commit and command. */
export function machine() {
  const { isa, isas, openmp } = addon().info();
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    isa,
    isas,
    openmp,
    node: process.version,
    os: `${type()} ${release()} ${process.arch}`,
    commit: commit(),
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
    date: new Date().toISOString(),
  };
}

function commit() {
  const git = (...args) => execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    const changed = git('status', '--porcelain', '--', 'lib', 'native', 'bench') !== '';
    return git('rev-parse', '--short', 'HEAD') + (changed ? '+changes' : '');
  } catch {
    return 'unknown';
  }
}
