/** What is fetched, when the hub is asked, and what the cache holds afterwards. */
import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type HubSettings, repositoryFolder } from '../../lib/checkpoints/hub_cache.js';
import { fetchSnapshot } from '../../lib/hub/snapshot.js';
import { load } from '../../lib/tasks/load.js';
import { failure, id, listing, neededOfTiny, nowhere, settingsFor, tinyModel } from './cache.js';
import { gitHash, HubServer, sendError, sha256 } from './hub_server.js';

const hub = await HubServer.start();
const commit = hub.push(id, tinyModel);
let settings: HubSettings;

beforeEach(async () => {
  settings = await settingsFor(hub);
  hub.requests.length = 0;
  hub.fault = () => undefined;
});

const fetch = (revision = 'main', changes: Partial<HubSettings> = {}, name = id) =>
  fetchSnapshot(name, { revision, settings: { ...settings, ...changes } });

describe('fetchSnapshot', () => {
  it('fetches the files that Heddle reads, and no others', async () => {
    const { folder } = await fetch();
    expect(folder).toBe(join(repositoryFolder(settings.cacheFolder, id), 'snapshots', commit));
    expect(listing(folder)).toEqual(neededOfTiny);
    expect(hub.fetched()).toEqual(neededOfTiny);
    for (const path of neededOfTiny) {
      expect(readFileSync(join(folder, path))).toEqual(Buffer.from(tinyModel[path]));
    }
    using model = await load(folder);
    expect(await model.embed('a cat')).toHaveLength(1);
  });

  it('lays the cache out as huggingface_hub does', async () => {
    await fetch();
    const repository = repositoryFolder(settings.cacheFolder, id);
    expect(readFileSync(join(repository, 'refs', 'main'), 'utf8')).toBe(commit);
    const weights = sha256(Buffer.from(tinyModel['model.safetensors']));
    const config = gitHash(Buffer.from(tinyModel['config.json']));
    const snapshot = join(repository, 'snapshots', commit);
    expect(readlinkSync(join(snapshot, 'config.json'))).toBe(`../../blobs/${config}`);
    expect(readlinkSync(join(snapshot, 'model.safetensors'))).toBe(`../../blobs/${weights}`);
    expect(readlinkSync(join(snapshot, '1_Pooling', 'config.json'))).toMatch(/^(\.\.\/){3}blobs\//);
    expect(listing(join(repository, 'blobs'))).toHaveLength(neededOfTiny.length);
    expect(listing(join(repository, '.no_exist', commit))).toEqual([
      'chat_template.jinja',
      'chat_template.json',
      'generation_config.json',
      'special_tokens_map.json',
      'tokenizer_config.json',
    ]);
    expect(listing(join(settings.cacheFolder, '.locks'))).toEqual([]);
  });

  it('uses hard links where there can be no symbolic ones', async () => {
    const { folder } = await fetch('main', { symlinks: false });
    expect(listing(folder)).toEqual(neededOfTiny);
    const status = lstatSync(join(folder, 'model.safetensors'));
    expect({ isFile: status.isFile(), names: status.nlink }).toEqual({ isFile: true, names: 2 });
  });

  it('asks once whether a branch has moved, and never about a commit', async () => {
    await fetch();
    hub.requests.length = 0;
    await fetch();
    expect(hub.requests.map(({ path }) => path.replace(/\?.*/, ''))).toEqual([
      `/api/models/${id}/revision/main`,
    ]);
    await fetch(commit);
    expect(hub.requests).toHaveLength(1);
  });

  it('makes no request offline', async () => {
    const missing = await failure(fetch('main', { offline: true }));
    expect(missing).toMatchObject({ code: 'ERR_NOT_FOUND' });
    expect(missing.message).toMatch(/someone\/tiny.*HF_HUB_OFFLINE.*heddle models get/);
    const { folder } = await fetch();
    hub.requests.length = 0;
    expect(await fetch('main', { offline: true })).toMatchObject({ commit, folder });
    expect(await fetch(commit, { offline: true })).toMatchObject({ commit, folder });
    await expect(fetch('v2', { offline: true })).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    expect(hub.requests).toEqual([]);
  });

  it('takes what is in the cache where the hub does not answer', async () => {
    const { folder } = await fetch();
    for (const status of ['cut', 401, 403, 404, 429, 500] as const) {
      hub.fault = (_, response) => {
        if (status === 'cut') response.destroy();
        else sendError(response, status);
        return true;
      };
      expect(await fetch()).toMatchObject({ folder });
    }
    expect(await fetch('main', { endpoint: nowhere })).toMatchObject({ folder });
  });

  it('fetches what has changed when a branch has moved, and keeps what has not', async () => {
    const moving = 'someone/moving';
    const first = hub.push(moving, tinyModel);
    await fetch('main', {}, moving);
    const second = hub.push(moving, { ...tinyModel, 'config_sentence_transformers.json': '{ }' });
    hub.requests.length = 0;
    const moved = await fetch('main', {}, moving);
    expect(moved.commit).toBe(second);
    expect(hub.fetched()).toEqual(['config_sentence_transformers.json']);
    expect(listing(moved.folder)).toEqual(neededOfTiny);
    expect((await fetch(first, { offline: true }, moving)).commit).toBe(first);
    expect((await fetch('main', { offline: true }, moving)).commit).toBe(second);
  });

  it('keeps the whole snapshot of before where a newer one cannot be had', async () => {
    const moving = 'someone/stuck';
    const first = hub.push(moving, tinyModel);
    await fetch('main', {}, moving);
    hub.push(moving, { ...tinyModel, 'config.json': '{"a": 1}' });
    hub.fault = ({ path }, response) => {
      if (!path.includes('/resolve/')) return false;
      sendError(response, 500);
      return true;
    };
    await expect(fetch('main', {}, moving)).rejects.toMatchObject({ code: 'ERR_NETWORK' });
    expect((await fetch('main', { offline: true }, moving)).commit).toBe(first);
  });

  it('knows branches, tags and pull requests', async () => {
    const pull = hub.push(id, { ...tinyModel, 'README.md': 'pull' }, 'refs/pr/1');
    hub.push(id, { ...tinyModel, 'README.md': 'tag' }, '1.0');
    expect((await fetch('refs/pr/1')).commit).toBe(pull);
    const repository = repositoryFolder(settings.cacheFolder, id);
    await fetch('1.0');
    expect(listing(join(repository, 'refs'))).toEqual(['1.0', 'refs/pr/1']);
    await expect(fetch('../../x')).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
  });

  it('fetches what is missing of a snapshot that others have begun', async () => {
    const { folder } = await fetch();
    await rm(join(folder, 'tokenizer.json'));
    hub.requests.length = 0;
    // Weights without a tokenizer are usable offline, and completed where there is a network.
    expect(await fetch('main', { offline: true })).toMatchObject({ folder });
    await fetch();
    expect(listing(folder)).toEqual(neededOfTiny);
    expect(hub.fetched()).toEqual([]); // its blob was there
    await rm(join(folder, 'model.safetensors'));
    await expect(fetch('main', { offline: true })).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
  });

  it('fetches older vocabularies only where there is no tokenizer.json', async () => {
    const older = { 'vocab.txt': 'a', 'added_tokens.json': '{}', 'vocab.json': '{}' };
    const untokenized = Object.fromEntries(
      Object.entries({ ...tinyModel, ...older }).filter(([name]) => name !== 'tokenizer.json'),
    );
    hub.push(id, untokenized, 'refs/pr/2');
    const { folder } = await fetch('refs/pr/2');
    const kept = neededOfTiny.filter((name) => name !== 'tokenizer.json');
    expect(listing(folder)).toEqual([...kept, ...Object.keys(older)].sort());
    hub.requests.length = 0;
    await fetch('refs/pr/2');
    expect(hub.requests).toHaveLength(1); // whether it has moved
  });

  it('does not take a blob of another length for the file', async () => {
    await fetch();
    const hash = sha256(Buffer.from(tinyModel['model.safetensors']));
    const repository = repositoryFolder(settings.cacheFolder, id);
    await writeFile(join(repository, 'blobs', hash), 'cut');
    await rm(join(repository, 'snapshots'), { recursive: true });
    const { folder } = await fetch();
    const weights = Buffer.from(tinyModel['model.safetensors']);
    expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(weights);
  });

  it('fetches chat templates by the names that they have', async () => {
    const templates = [
      'additional_chat_templates/rag.jinja',
      'additional_chat_templates/tool_use.jinja',
    ];
    const files = Object.fromEntries(
      [...templates, 'additional_chat_templates/a.py'].map((path) => [path, path]),
    );
    hub.push('org/chat', { ...tinyModel, ...files });
    const { folder } = await fetch('main', {}, 'org/chat');
    expect(listing(folder)).toEqual([...neededOfTiny, ...templates].sort());
    expect((await fetch('main', { offline: true }, 'org/chat')).folder).toBe(folder);
  });

  it('fetches shards by their index', async () => {
    const map = { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' };
    const sharded = {
      'config.json': '{}',
      'model.safetensors.index.json': JSON.stringify({ weight_map: map }),
      [map.a]: 'first',
      [map.b]: 'second',
      'model-00001-of-00003.safetensors': 'of another time',
      'pytorch_model.bin': 'pickle',
    };
    hub.push('someone/sharded', sharded);
    const { folder } = await fetch('main', {}, 'someone/sharded');
    expect(listing(folder)).toEqual(['config.json', map.a, map.b, 'model.safetensors.index.json']);
  });

  it('reports the bytes of all files, up to all of them', async () => {
    const seen: { loaded: number; total: number }[] = [];
    await fetchSnapshot(id, {
      revision: 'main',
      settings,
      onProgress: (progress) => seen.push(progress),
    });
    const total = neededOfTiny.reduce((sum, path) => sum + Buffer.from(tinyModel[path]).length, 0);
    expect(new Set(seen.map((progress) => progress.total))).toEqual(new Set([total]));
    const loaded = seen.map((progress) => progress.loaded);
    expect(loaded).toEqual([...loaded].sort((a, b) => a - b));
    expect(loaded.at(-1)).toBe(total);
  });

  it('sends the token to the hub, and nowhere else', async () => {
    await fetch('main', { token: 'hf_secret' });
    const tokens = (toStorage: boolean) =>
      new Set(
        hub.requests.filter((seen) => seen.toStorage === toStorage).map(({ token }) => token),
      );
    expect(tokens(false)).toEqual(new Set(['Bearer hf_secret']));
    expect(tokens(true)).toEqual(new Set([undefined]));
  });
});
