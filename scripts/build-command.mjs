/**
 * The command behind `heddle build` and `npm run build:addon`.
 *
 *   --force   build even when the addon is up to date
 *   --keep    leave the object files, so that the next build compiles only what has changed
 */
import { pathToFileURL } from 'node:url';
import { BuildError, buildAddon } from './build-addon.mjs';
import { howToInstall } from './build-tools.mjs';

/**
 * Builds and says how it went, on stderr.
 *
 * @param {{ force?: boolean, keep?: boolean }} [options]
 * @returns {Promise<number>} the exit code: 0, or 1 where there is no working addon
 */
export async function buildCommand({ force, keep } = {}) {
  const live = process.stderr.isTTY;
  const say = (line) => process.stderr.write(`${live ? '\r\x1b[K' : ''}${line}\n`);
  try {
    const { status, seconds, path } = await buildAddon({
      force,
      keepObjects: keep,
      download: true,
      onProgress: (files) => live && process.stderr.write(`\rcompiled ${files} files`),
    });
    say(
      status === 'current' ? `${path} is up to date` : `built ${path} in ${seconds.toFixed(1)} s`,
    );
    return 0;
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    if (error.missing.length > 0) {
      say(`heddle build: missing: ${error.missing.join(', ')}. This installs it:`);
    } else {
      for (const line of error.tail) say(line);
      say(`heddle build: ${error.message}`);
      if (error.tail.length > 0) say('All of the output is in build/heddle-build.log.');
      say('A build needs a C++17 compiler, make and Python 3. This installs them:');
    }
    say(`  ${howToInstall()}`);
    return 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const args = new Set(process.argv.slice(2));
  process.exitCode = await buildCommand({ force: args.has('--force'), keep: args.has('--keep') });
}
