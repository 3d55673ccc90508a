import { cpus } from 'node:os';
import type { CAC } from 'cac';
import { ceilings } from '../tasks/profile.js';
import { printJson } from './output.js';

export function registerBenchMachine(cli: CAC): void {
  cli
    .command(
      'bench machine',
      'What this machine does at most: a file for heddle estimate --machine',
    )
    .option('--json', 'The same: {"name", "threads", "gflops", "gbps"} is always printed')
    .example('heddle bench machine > machine.json')
    .action(async () => {
      const { threads, gflops, gbps } = await ceilings();
      const name = `${cpus()[0]?.model.trim() ?? 'CPU'}, ${threads} threads, float32`;
      printJson({ name, threads, gflops, gbps });
    });
}
