import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CAC } from 'cac';
import { packageRoot } from '../native.js';

export function registerBuild(cli: CAC): void {
  cli
    .command('build', 'Build the native addon, with a C++17 compiler, make and Python')
    .option('--force', 'Build even if the addon is up to date')
    .action(async (options: Record<string, unknown>) => {
      // The code of the install script, which is plain JavaScript because it runs before anything is compiled.
      const script = pathToFileURL(join(packageRoot(), 'scripts', 'build-command.mjs')).href;
      const { buildCommand } = await import(script);
      process.exitCode = await buildCommand({ force: options.force === true });
    });
}
