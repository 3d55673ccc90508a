/** Files of Debian packages, fetched with apt-get, which neither installs them nor needs root, and unpacked with dpkg-deb. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Downloads packages into a folder. @returns the paths of their files. @throws with what apt-get says. */
export async function downloadPackages(names, folder) {
  try {
    await run('apt-get', ['download', '-q', '-o', 'APT::Sandbox::User=root', ...names], {
      cwd: folder,
    });
  } catch (error) {
    const said = String(error.stderr ?? error.message).trim();
    throw new Error(
      `apt-get download: ${said.split('\n').at(-1)} (on Debian, after apt-get update)`,
    );
  }
  return (await readdir(folder))
    .filter((name) => name.endsWith('.deb'))
    .sort()
    .map((name) => join(folder, name));
}

/** Calls `body` with a folder that has a package's files, which is gone afterwards. */
export async function withUnpacked(file, body) {
  const folder = await mkdtemp(join(tmpdir(), 'heddle-deb-'));
  try {
    await run('dpkg-deb', ['--extract', file, folder]);
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Calls `body` with the files of packages, which are gone afterwards. */
export async function withPackages(names, body) {
  const folder = await mkdtemp(join(tmpdir(), 'heddle-deb-'));
  try {
    return await body(await downloadPackages(names, folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
