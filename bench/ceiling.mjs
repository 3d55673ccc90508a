import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { script } from './peer.mjs';

/** The most float32 GFLOP/s that this CPU does on so many threads (peers/peak.c), or null without a C compiler. */
export function ceiling(threads) {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-peak-'));
  const program = join(folder, 'peak');
  try {
    const flags = ['-O3', '-march=native', '-fopenmp', '-o', program];
    execFileSync('cc', [...flags, script('peak.c')], { stdio: 'ignore' });
    return Number(execFileSync(program, [String(threads)], { encoding: 'utf8' }));
  } catch {
    return null;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
