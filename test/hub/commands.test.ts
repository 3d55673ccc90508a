/** `heddle models`, and commands whose --model is on a hub; with the environment as users set it. */
import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { repositoryFolder } from '../../lib/checkpoints/hub_cache.js';
import { heddle } from '../cli/heddle.js';
import { temporaryFolder } from '../tasks/tiny_model.js';
import { id, listing, neededOfTiny, nowhere, tinyModel } from './cache.js';
import { HubServer, sendError } from './hub_server.js';

const hub = await HubServer.start();
const first = hub.push(id, { ...tinyModel, 'config_sentence_transformers.json': '{ }' }, '1.0');
const commit = hub.push(id, tinyModel);
let cache: string;
let env: Record<string, string>;

beforeEach(async () => {
  const home = await temporaryFolder();
  cache = join(home, 'hub');
  hub.requests.length = 0;
  hub.fault = () => undefined;
  env = {
    HF_HOME: home,
    HF_HUB_CACHE: '',
    HUGGINGFACE_HUB_CACHE: '',
    XDG_CACHE_HOME: home,
    HF_ENDPOINT: hub.endpoint,
    HF_HUB_OFFLINE: '',
    HF_TOKEN: '',
  };
});

const run = (...args: string[]) => heddle(args, { env });
const snapshot = (of: string): string => join(repositoryFolder(cache, id), 'snapshots', of);

describe('heddle models get', () => {
  it('downloads a model and prints its folder', async () => {
    expect(await run('models', 'get', id)).toEqual({
      code: 0,
      stdout: `${snapshot(commit)}\n`,
      stderr: '',
    });
    expect(listing(snapshot(commit))).toEqual(neededOfTiny);
    const json = await run('models', 'get', id, '--json', '--revision', '1.0');
    expect(json).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(json.stdout)).toEqual({ id, commit: first, folder: snapshot(first) });
  });

  it('sends the token of HF_TOKEN, or of the file that a login writes', async () => {
    env.HF_TOKEN = 'hf_variable';
    await run('models', 'get', id);
    env.HF_TOKEN = '';
    await writeFile(join(env.HF_HOME, 'token'), 'hf_file\n');
    await run('models', 'get', id);
    const tokens = hub.requests.filter(({ toStorage }) => !toStorage).map(({ token }) => token);
    expect(new Set(tokens)).toEqual(new Set(['Bearer hf_variable', 'Bearer hf_file']));
  });

  it('says in one line what is wrong, and what would mend it', async () => {
    const failures: [args: string[], changes: Record<string, string>, code: number, RegExp][] = [
      [['nobody/nothing'], {}, 1, /nobody\/nothing.*check the name/],
      [[id, '--revision', 'v9'], {}, 1, /no revision 'v9'/],
      [[id], { HF_HUB_OFFLINE: '1' }, 1, /HF_HUB_OFFLINE/],
      [[id], { HF_ENDPOINT: nowhere }, 1, /cannot be reached.*HF_ENDPOINT/],
      [[id], { HF_ENDPOINT: 'nonsense' }, 2, /HF_ENDPOINT: expected/],
      [[id], { HF_TOKEN: 'a b' }, 2, /HF_TOKEN: expected/],
      [['a/b/c'], {}, 2, /expected a hub id/],
      [[id, '--revision', '../x'], {}, 2, /revision: expected/],
      [[], {}, 2, /source/],
    ];
    for (const [args, changes, code, message] of failures) {
      const finished = await heddle(['models', 'get', ...args], { env: { ...env, ...changes } });
      expect({ args, ...finished }).toMatchObject({ args, code, stdout: '' });
      expect(finished.stderr).toMatch(message);
      expect(finished.stderr).toMatch(/^heddle: [^\n]+\n$/);
    }
    hub.fault = (_, response) => {
      sendError(response, 403, 'GatedRepo');
      return true;
    };
    const gated = await run('models', 'get', id);
    expect(gated.code).toBe(1);
    expect(gated.stderr).toMatch(/accept the conditions at .*someone\/tiny.*HF_TOKEN/);
  });
});

describe('heddle models list', () => {
  it('shows ids, revisions and sizes', async () => {
    expect(await run('models', 'list')).toMatchObject({ code: 0, stdout: '' });
    await run('models', 'get', id);
    await run('models', 'get', id, '--revision', '1.0');
    const other = join(cache, 'models--other--half');
    await mkdir(join(other, 'snapshots', commit), { recursive: true });
    await mkdir(join(other, 'blobs'), { recursive: true });
    await writeFile(join(other, 'blobs', 'a.heddle-0.incomplete'), 'half');
    const { code, stdout, stderr } = await run('models', 'list', '--json');
    expect([code, stderr]).toEqual([0, '']);
    const { folder, models } = JSON.parse(stdout);
    expect(folder).toBe(cache);
    const bytes = neededOfTiny.reduce((sum, path) => sum + Buffer.from(tinyModel[path]).length, 0);
    const shared = {
      id,
      isUsable: true,
      unfinished: 0,
      lastUsed: expect.stringMatching(/^\d{4}-/),
    };
    expect(models).toHaveLength(3);
    expect(models).toContainEqual({
      ...shared,
      commit,
      refs: ['main'],
      bytes,
      folder: snapshot(commit),
    });
    expect(models).toContainEqual(expect.objectContaining({ commit: first, refs: ['1.0'] }));
    const half = { id: 'other/half', isUsable: false, unfinished: 4 };
    expect(models).toContainEqual(expect.objectContaining(half));
    const people = await run('models', 'list');
    expect(people.stdout).toMatch(/^model +revision +commit +size +last used\n/);
    expect(people.stdout).toMatch(
      /someone\/tiny +main +[0-9a-f]{12} +[\d.]+ KiB +\d{4}-\d\d-\d\d\n/,
    );
  });
});

describe('heddle models list of what npm start has fetched', () => {
  it("shows Heddle's own cache, wherever the flag stands", async () => {
    const own = join(env.XDG_CACHE_HOME, 'heddle', 'models', 'tiny');
    await mkdir(own, { recursive: true });
    await writeFile(join(own, 'model.safetensors'), 'weights');
    const { stdout } = await run('models', '--json', 'list');
    expect(JSON.parse(stdout).own).toEqual([
      { name: 'tiny', bytes: 7, lastUsed: expect.any(String), folder: own },
    ]);
    expect((await run('models', 'list')).stdout).toMatch(/tiny .*7 B .*Heddle's own cache\n$/);
  });
});

describe('heddle models remove', () => {
  beforeEach(async () => {
    await run('models', 'get', id);
    await run('models', 'get', id, '--revision', '1.0');
  });
  const blobs = (): number => readdirSync(join(repositoryFolder(cache, id), 'blobs')).length;

  it('frees what no other revision uses', async () => {
    expect(blobs()).toBe(neededOfTiny.length + 1);
    const one = await run('models', 'remove', id, '--revision', '1.0', '--json');
    expect(one).toMatchObject({ code: 0, stderr: '' });
    const removed = JSON.parse(one.stdout);
    expect(removed).toMatchObject({ id, commits: [first] });
    expect(removed.bytes).toBe('{ }'.length + 40); // its own file, and the ref
    expect(blobs()).toBe(neededOfTiny.length);
    expect(existsSync(snapshot(first))).toBe(false);
    expect(listing(snapshot(commit))).toEqual(neededOfTiny);
    env.HF_HUB_OFFLINE = '1';
    expect(await run('models', 'get', id)).toMatchObject({ code: 0 });
    expect(await run('models', 'get', id, '--revision', '1.0')).toMatchObject({ code: 1 });
  });

  it('takes a model away whole', async () => {
    const { code, stdout } = await run('models', 'remove', id);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^someone\/tiny: [\d.]+ KiB freed \(\d+ bytes\)\n$/);
    expect(existsSync(repositoryFolder(cache, id))).toBe(false);
    const again = await run('models', 'remove', id);
    expect(again).toMatchObject({ code: 1, stdout: '' });
    expect(again.stderr).toMatch(/not in the cache.*heddle models list/);
    expect(await run('models', 'remove', '../x')).toMatchObject({ code: 2 });
  });

  it('frees downloads that were cut, before there is a snapshot', async () => {
    const blobs = join(cache, 'models--other--half', 'blobs');
    await mkdir(blobs, { recursive: true });
    await writeFile(join(blobs, 'a.heddle-0.incomplete'), 'half');
    const { code, stdout } = await run('models', 'remove', 'other/half', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ id: 'other/half', commits: [], bytes: 4 });
  });

  it('counts hard links once, and only when the last goes', async () => {
    env.HF_HUB_DISABLE_SYMLINKS = '1';
    await run('models', 'remove', id);
    await run('models', 'get', id);
    const { stdout } = await run('models', 'remove', id, '--json');
    const bytes = neededOfTiny.reduce((sum, path) => sum + Buffer.from(tinyModel[path]).length, 0);
    expect(JSON.parse(stdout).bytes).toBe(bytes + 40);
  });
});

describe('heddle models', () => {
  it('has help for each action, and refuses others', async () => {
    for (const action of ['list', 'get', 'remove']) {
      const { code, stdout, stderr } = await run('models', action, '--help');
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toContain(`heddle models ${action}`);
      expect(stdout).toContain('--json');
    }
    expect(await run('models', '--help')).toMatchObject({ code: 0 });
    for (const args of [['models'], ['models', 'nonsense']]) {
      const { code, stdout, stderr } = await run(...args);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^heddle: models: [^\n]*list, get, remove[^\n]*\n$/);
    }
  });
});

describe('--model', () => {
  it('is downloaded, and opened offline from then on', async () => {
    const args = ['embed', '--json', '--model', id, 'a cat'];
    const online = await run(...args);
    expect(online.code).toBe(0);
    expect(hub.requests.length).toBeGreaterThan(0);
    hub.requests.length = 0;
    env.HF_HUB_OFFLINE = '1';
    expect((await run(...args)).stdout).toBe(online.stdout);
    expect(await run('inspect', id, '--json')).toMatchObject({ code: 0 });
    expect(hub.requests).toEqual([]);
  });

  it('may be a bare name of sentence-transformers', async () => {
    hub.push('sentence-transformers/tiny', tinyModel);
    const { code, stdout } = await run('models', 'get', 'tiny', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout).id).toBe('sentence-transformers/tiny');
  });

  it('may be another revision', async () => {
    const { code } = await run('embed', '--json', '--model', id, '--revision', '1.0', 'a cat');
    expect(code).toBe(0);
    expect(existsSync(snapshot(first))).toBe(true);
    expect(existsSync(snapshot(commit))).toBe(false);
  });

  it('left out is downloaded too, where it is in no cache', async () => {
    hub.push('sentence-transformers/all-MiniLM-L6-v2', tinyModel);
    expect(await run('embed', '--json', 'a cat')).toMatchObject({ code: 0 });
    const folder = join(env.XDG_CACHE_HOME, 'heddle', 'models', 'all-MiniLM-L6-v2');
    await cp(snapshotOfDefault(), folder, { recursive: true, dereference: true });
    hub.requests.length = 0;
    env.HF_HUB_CACHE = join(env.HF_HOME, 'other');
    expect(await run('embed', '--json', 'a cat')).toMatchObject({ code: 0 });
    expect(hub.requests).toEqual([]);
  });

  const snapshotOfDefault = (): string => {
    const folder = join(cache, 'models--sentence-transformers--all-MiniLM-L6-v2', 'snapshots');
    return join(folder, readdirSync(folder)[0]);
  };
});
