import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  findInHubCache,
  hubCacheFolder,
  hubSettings,
  ownModelsFolder,
} from '../../lib/checkpoints/hub_cache.js';

const commit = '0123456789abcdef0123456789abcdef01234567';
let hub: string;
let snapshot: string;

beforeAll(async () => {
  hub = await mkdtemp(join(tmpdir(), 'heddle-hub-'));
  const model = join(hub, 'models--sentence-transformers--all-MiniLM-L6-v2');
  snapshot = join(model, 'snapshots', commit);
  await mkdir(snapshot, { recursive: true });
  await mkdir(join(model, 'refs', 'refs', 'pr'), { recursive: true });
  await writeFile(join(model, 'refs', 'main'), commit);
  await writeFile(join(model, 'refs', 'refs', 'pr', '1'), `${commit}\n`);
  await writeFile(join(model, 'refs', 'broken'), '../../..');
  await writeFile(join(model, 'refs', 'gone'), commit.replace('0', 'f'));
});
afterAll(() => rm(hub, { recursive: true, force: true }));

const find = (id: string, revision?: string) => findInHubCache(id, revision, { HF_HUB_CACHE: hub });

describe('findInHubCache', () => {
  it('finds snapshots by id, by bare name, and by revision', () => {
    expect(find('sentence-transformers/all-MiniLM-L6-v2')).toBe(snapshot);
    expect(find('all-MiniLM-L6-v2')).toBe(snapshot);
    expect(find('all-MiniLM-L6-v2', commit)).toBe(snapshot);
    expect(find('all-MiniLM-L6-v2', 'refs/pr/1')).toBe(snapshot);
  });

  it.each(['broken', 'gone', 'absent', '../main', '..', '', commit.slice(1)])(
    'finds nothing for the revision %j',
    (revision) => {
      expect(find('all-MiniLM-L6-v2', revision)).toBeUndefined();
    },
  );

  it.each([
    'other/all-MiniLM-L6-v2',
    '',
    '..',
    '../x',
    './x',
    'a/b/c',
    '/all-MiniLM-L6-v2',
    'sentence-transformers--all-MiniLM-L6-v2',
    'a\0b',
  ])('finds nothing for the id %j', (id) => {
    expect(find(id)).toBeUndefined();
  });
});

describe('the folders', () => {
  it('follow the variables of huggingface_hub', () => {
    expect(hubCacheFolder({ HF_HUB_CACHE: '/a', HF_HOME: '/b' })).toBe('/a');
    expect(hubCacheFolder({ HUGGINGFACE_HUB_CACHE: '/a', HF_HOME: '/b' })).toBe('/a');
    expect(hubCacheFolder({ HF_HOME: '/b', XDG_CACHE_HOME: '/c' })).toBe(join('/b', 'hub'));
    expect(hubCacheFolder({ XDG_CACHE_HOME: '/c' })).toBe(join('/c', 'huggingface', 'hub'));
    expect(hubCacheFolder({})).toMatch(/[\\/]\.cache[\\/]huggingface[\\/]hub$/);
    expect(ownModelsFolder({ XDG_CACHE_HOME: '/c' })).toBe(join('/c', 'heddle', 'models'));
  });
});

describe('hubSettings', () => {
  it('follow the variables of huggingface_hub', async () => {
    const home = join(hub, 'home');
    expect(hubSettings({ HF_HOME: home })).toMatchObject({
      cacheFolder: join(home, 'hub'),
      endpoint: 'https://huggingface.co',
      token: undefined,
      offline: false,
      symlinks: true,
    });
    await mkdir(home);
    await writeFile(join(home, 'token'), 'hf_file\n');
    expect(hubSettings({ HF_HOME: home }).token).toBe('hf_file');
    expect(hubSettings({ HF_HOME: home, HF_TOKEN: ' hf_a\n' }).token).toBe('hf_a');
    const implicit = { HF_HOME: home, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' };
    expect(hubSettings(implicit).token).toBeUndefined();
    expect(hubSettings({ HF_ENDPOINT: 'http://a.b/c/' }).endpoint).toBe('http://a.b/c');
    expect(hubSettings({ HF_HUB_ETAG_TIMEOUT: '3' }).answerTimeout).toBe(3000);
    expect(hubSettings({ HF_HUB_DOWNLOAD_TIMEOUT: 'x' }).stallTimeout).toBe(10_000);
  });

  it.each([
    ['1', true],
    ['ON', true],
    ['yes', true],
    ['True', true],
    ['0', false],
    ['', false],
    ['off', false],
  ])('HF_HUB_OFFLINE=%s: %s', (value, offline) => {
    expect(hubSettings({ HF_HUB_OFFLINE: value }).offline).toBe(offline);
  });

  it.each([
    { HF_ENDPOINT: 'huggingface.co' },
    { HF_ENDPOINT: 'file:///x' },
    { HF_ENDPOINT: 'https://name:secret@a.b' },
    { HF_ENDPOINT: 'https://a.b?token=secret' },
    { HF_TOKEN: 'secret\nX: y' },
  ])('refuses %j without repeating it', (environment) => {
    const error = (() => {
      try {
        return hubSettings(environment);
      } catch (error) {
        return error;
      }
    })();
    expect(error).toMatchObject({ code: 'ERR_ARGUMENT', where: Object.keys(environment)[0] });
    expect((error as Error).message).not.toContain('secret');
  });
});
