/** Several processes at one cache, and one that is killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { type HubSettings, repositoryFolder } from '../../lib/checkpoints/hub_cache.js';
import { CachedRepository } from '../../lib/hub/cached_repository.js';
import { lock } from '../../lib/hub/download_lock.js';
import { fetchSnapshot } from '../../lib/hub/snapshot.js';
import { heddle } from '../cli/heddle.js';
import { temporaryFolder } from '../tasks/tiny_model.js';
import { failure, id, listing, settingsFor } from './cache.js';
import { type Fault, type Files, HubServer, sha256 } from './hub_server.js';

const hub = await HubServer.start();
const weights = Buffer.alloc(3_000_000, 'weights');
const hash = sha256(weights);
const model: Files = { 'config.json': '{}', 'model.safetensors': weights };
const commit = hub.push(id, model);
const patiently = { timeout: 200_000 };
let settings: HubSettings;
let env: Record<string, string>;

beforeEach(async () => {
  settings = await settingsFor(hub);
  env = {
    HF_HUB_CACHE: settings.cacheFolder,
    HF_ENDPOINT: hub.endpoint,
    HF_HUB_OFFLINE: '',
    HF_TOKEN: '',
    HF_HUB_DOWNLOAD_TIMEOUT: '100',
  };
  hub.requests.length = 0;
  hub.fault = () => undefined;
});

const repository = (): string => repositoryFolder(settings.cacheFolder, id);
const parts = (): string[] => {
  const blobs = join(repository(), 'blobs');
  return existsSync(blobs) ? readdirSync(blobs).filter((name) => /incomplete$/.test(name)) : [];
};
const expectWhole = (): void => {
  const folder = join(repository(), 'snapshots', commit);
  expect(listing(folder)).toEqual(Object.keys(model));
  expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
  expect(parts()).toEqual([]);
  expect(existsSync(lockFile())).toBe(false);
};
const lockFile = (): string => new CachedRepository(settings, id).lockOf(hash);

/** Sends two thirds of the weights, and then nothing until `go`. */
function halting(): { fault: Fault; halted: Promise<void>; go: () => void } {
  let [onHalt, go] = [(): void => {}, (): void => {}];
  const halted = new Promise<void>((resolve) => {
    onHalt = resolve;
  });
  const going = new Promise<void>((resolve) => {
    go = resolve;
  });
  const fault: Fault = ({ path, range }, response) => {
    if (!path.includes(hash) || range !== undefined) return false;
    response.writeHead(200, { 'content-length': weights.length });
    response.write(weights.subarray(0, 2_000_000), onHalt);
    going.then(() => response.end(weights.subarray(2_000_000)));
    return true;
  };
  return { fault, halted, go };
}

const command = fileURLToPath(new URL('../../dist/cli.mjs', import.meta.url));
function start(): ChildProcess {
  return spawn(process.execPath, [command, 'models', 'get', id], {
    env: { ...process.env, ...env },
    stdio: 'ignore',
  });
}

describe('processes', () => {
  it('that fetch at once fetch each file once', async () => {
    const { fault, halted, go } = halting();
    hub.fault = fault;
    const first = heddle(['models', 'get', id], { env });
    await halted;
    const second = heddle(['models', 'get', id], { env });
    const third = fetchSnapshot(id, { revision: 'main', settings });
    await expect
      .poll(() => hub.requests.filter(({ path }) => path.includes('/tree/')).length, patiently)
      .toBeGreaterThanOrEqual(3);
    go();
    const [a, b, c] = await Promise.all([first, second, third]);
    expect([a.code, b.code]).toEqual([0, 0]);
    expect(a.stdout).toBe(`${c.folder}\n`);
    expect(b.stdout).toBe(a.stdout);
    expect(hub.requests.filter(({ path }) => path.includes(hash))).toHaveLength(1);
    expectWhole();
  });

  it('that are killed leave nothing half, and a part to go on with', async () => {
    const { fault, halted } = halting();
    hub.fault = fault;
    const child = start();
    await halted;
    await expect.poll(parts, patiently).toHaveLength(1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(existsSync(join(repository(), 'blobs', hash))).toBe(false);
    expect(existsSync(join(repository(), 'refs', 'main'))).toBe(false);
    const offline = { revision: 'main', settings: { ...settings, offline: true } };
    expect(await failure(fetchSnapshot(id, offline))).toMatchObject({ code: 'ERR_NOT_FOUND' });
    hub.requests.length = 0;
    await fetchSnapshot(id, { revision: 'main', settings });
    const ranges = hub.requests.filter(({ path }) => path.includes(hash));
    expect(ranges.map(({ range }) => range)).toEqual([expect.stringMatching(/^bytes=[1-9]\d+-$/)]);
    expectWhole();
  });

  it('that are interrupted end, and leave the part', async () => {
    const { fault, halted } = halting();
    hub.fault = fault;
    const child = start();
    await halted;
    await expect.poll(parts, patiently).toHaveLength(1);
    child.kill('SIGINT');
    const [code] = await once(child, 'exit');
    expect(code).toBe(1);
    expect(parts()).toHaveLength(1);
    expect(listing(join(settings.cacheFolder, '.locks'))).toEqual([]);
    await fetchSnapshot(id, { revision: 'main', settings });
    expectWhole();
  });
});

describe('a lock', () => {
  const write = async (owner: string): Promise<void> => {
    await mkdir(dirname(lockFile()), { recursive: true });
    await writeFile(lockFile(), owner);
  };

  it('of a process that is no more is taken', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    await write(JSON.stringify({ pid: child.pid, host: hostname(), id: 'x' }));
    const held = await lock(lockFile(), undefined);
    expect(readFileSync(lockFile(), 'utf8')).toContain(`${process.pid}`);
    await held.release();
    expect(existsSync(lockFile())).toBe(false);
  });

  it('of a process that lives, or of another machine, is waited for until a signal', async () => {
    for (const host of [hostname(), 'elsewhere']) {
      await write(JSON.stringify({ pid: process.pid, host, id: 'x' }));
      await utimes(lockFile(), 0, 0); // a clock that differs says nothing
      const reason = new Error('enough');
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), 300);
      expect(await failure(lock(lockFile(), controller.signal))).toBe(reason);
      expect(existsSync(lockFile())).toBe(true);
    }
  });

  it('that somebody has taken over is not released', async () => {
    const held = await lock(lockFile(), undefined);
    await write('another');
    await held.release();
    expect(readFileSync(lockFile(), 'utf8')).toBe('another');
  });

  it('is handed on', async () => {
    const folder = await temporaryFolder();
    let [inside, most, done] = [0, 0, 0];
    const enter = async (): Promise<void> => {
      const held = await lock(join(folder, 'a', 'lock'), undefined);
      most = Math.max(most, ++inside);
      await new Promise(setImmediate);
      inside--;
      done++;
      await held.release();
    };
    await Promise.all([enter(), enter(), enter()]);
    expect({ most, done }).toEqual({ most: 1, done: 3 });
  });
});
