/** Checks the C++ sources with clang-format 14, Debian's; `--write` formats them. Other versions differ in places. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

const write = process.argv.includes('--write');
const files = readdirSync('native', { recursive: true })
  .filter((file) => /\.(cc|h|inc)$/.test(file))
  .map((file) => `native/${file}`);
const options = write ? ['-i'] : ['--dry-run', '--Werror'];
const { error, status } = spawnSync('clang-format-14', [...options, ...files], {
  stdio: 'inherit',
});
if (error)
  console.error(`clang-format-14: ${error.message} (Debian: apt-get install clang-format-14)`);
process.exitCode = status ?? 1;
