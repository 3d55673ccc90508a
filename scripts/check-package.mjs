/**
 * Checks the package as its users get it: what `npm pack` gives, how large a production install is, and that ES
 * modules, CommonJS, the command and the fallback without the addon work there. Leaves nothing behind.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'heddle-package-'));
const limits = { packed: 2e6, installed: 40e6 };
let failures = 0;

function check(title, passed, found) {
  console.log(`${passed ? 'ok    ' : 'FAILED'} ${title}: ${found}`);
  if (!passed) failures++;
}

const npm = (args, cwd) => execFileSync('npm', args, { cwd, encoding: 'utf8' });
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

function bytesUnder(path) {
  const entry = statSync(path);
  if (!entry.isDirectory()) return entry.size;
  return readdirSync(path).reduce((sum, name) => sum + bytesUnder(join(path, name)), 0);
}

/** Runs a program in the installed package; stdout and stderr together. */
function runs(title, command, args, expected) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' });
  const output = `${stdout}${stderr}`.trim();
  check(
    title,
    status === 0 && expected(stdout, stderr),
    output.split('\n').slice(0, 3).join(' | '),
  );
}

const work = `
  const sum = await run(ops.add(tensor([1, 2]), tensor([3, 4])));
  await run(ops.add(tensor([1, 2]), tensor([3, 4])));
  console.log(sum.data.join());
`;

try {
  const [packed] = JSON.parse(
    npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root),
  );
  check('npm pack', packed.size <= limits.packed, megabytes(packed.size));
  const unwanted = packed.files
    .map(({ path }) => path)
    .filter((path) =>
      /^(test|bench|lib|examples)\/|(^|\/)fixtures?\/|\.node$|^native\/(test|fuzz)\//.test(path),
    );
  check(
    'only what users need is packed',
    unwanted.length === 0,
    unwanted.join(' ') || `${packed.files.length} files`,
  );

  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  npm(['install', '--omit=dev', '--no-audit', '--no-fund', `./${packed.filename}`], folder);
  const size = bytesUnder(join(folder, 'node_modules'));
  check('production install', size <= limits.installed, megabytes(size));

  writeFileSync(join(folder, 'a.mjs'), `import { ops, run, tensor } from 'heddle';\n${work}`);
  writeFileSync(
    join(folder, 'a.cjs'),
    `const { ops, run, tensor } = require('heddle');\n(async () => {${work}})();\n`,
  );
  const silent = (stdout, stderr) => stdout === '4,6\n' && stderr === '';
  runs('import', process.execPath, ['a.mjs'], silent);
  runs('require', process.execPath, ['a.cjs'], silent);
  runs('npx heddle --help', 'npx', ['heddle', '--help'], (stdout) => /\bembed\b/.test(stdout));

  rmSync(join(folder, 'node_modules', 'heddle', 'build'), { recursive: true });
  const oneWarning = (stdout, stderr) =>
    stdout === '4,6\n' && stderr.split('npx heddle build').length === 2;
  runs('import without the addon: one warning', process.execPath, ['a.mjs'], oneWarning);
  runs('require without the addon: one warning', process.execPath, ['a.cjs'], oneWarning);
  runs('npx heddle build', 'npx', ['heddle', 'build'], () => true);
  runs('import with the addon built again', process.execPath, ['a.mjs'], silent);
} finally {
  rmSync(folder, { recursive: true });
}
process.exitCode = failures > 0 ? 1 : 0;
