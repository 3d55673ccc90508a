import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, type } from 'node:os';
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

/**
 * How quiet the machine was: call it, do the work, and call what it gave.
 * @returns {() => { seconds: number, load: number, others: number | null, stolen: number | null }} `load`: the
 * average of the minute before; `others`, `stolen`: CPU time of processes that are neither this one nor its children, and
 * of the hypervisor, over that of the whole machine, 0 … 1. null where the system does not tell.
 */
export function watchMachine() {
  const load = Number(loadavg()[0].toFixed(2));
  const begin = performance.now();
  const [all, own] = [allTicks(), ownTicks()];
  return () => {
    const seconds = Number(((performance.now() - begin) / 1000).toFixed(1));
    const [allNow, ownNow] = [allTicks(), ownTicks()];
    if (!all || !own || !allNow || !ownNow) return { seconds, load, others: null, stolen: null };
    const total = allNow.total - all.total;
    const share = (ticks) => Number((Math.max(0, ticks) / total).toFixed(3));
    const others = allNow.busy - all.busy - (ownNow - own);
    return { seconds, load, others: share(others), stolen: share(allNow.stolen - all.stolen) };
  };
}

/** Of all CPUs together: user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5)). */
function allTicks() {
  return read('/proc/stat', (text) => {
    const ticks = text.split('\n')[0].trim().split(/\s+/).slice(1, 9).map(Number);
    const [user, nice, system, , , irq, softirq, stolen] = ticks;
    const total = ticks.reduce((a, b) => a + b, 0);
    return { total, stolen, busy: user + nice + system + irq + softirq };
  });
}

/** Of this process and of its children that have ended: utime, stime, cutime, cstime (proc_pid_stat(5)). */
function ownTicks() {
  return read('/proc/self/stat', (text) => {
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
  });
}

function read(file, parse) {
  try {
    return parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}
