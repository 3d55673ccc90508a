/** Repositories of ONNX files, whose card names the checkpoint that they were made from. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { HubSettings } from '../../lib/checkpoints/hub_cache.js';
import { originalOf } from '../../lib/hub/original_model.js';
import { fetchSnapshot } from '../../lib/hub/snapshot.js';
import { failure, id, nowhere, settingsFor, tinyModel } from './cache.js';
import { type Files, HubServer } from './hub_server.js';

const hub = await HubServer.start();
const commit = hub.push(id, tinyModel);
const converted = 'Xenova/tiny';
const card = (metadata: string): string => `---\n${metadata}\n---\nWith ONNX weights.\n`;
const conversion: Files = {
  'config.json': tinyModel['config.json'],
  'tokenizer.json': '{}',
  'README.md': card(`base_model: ${id}\nlibrary_name: transformers.js`),
  'onnx/model.onnx': 'x',
};
let settings: HubSettings;
const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});

beforeEach(async () => {
  warn.mockClear();
  settings = await settingsFor(hub);
  hub.requests.length = 0;
});

const fetch = (name = converted, changes: Partial<HubSettings> = {}) =>
  fetchSnapshot(name, { revision: 'main', settings: { ...settings, ...changes } });

describe('a repository of ONNX files', () => {
  hub.push(converted, conversion);

  it('opens its original, with a warning, and of itself fetches the card and the config', async () => {
    expect(await fetch()).toMatchObject({ id, commit });
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/Xenova\/tiny.*ONNX.*someone\/tiny/), expect.anything()],
    ]);
    const own = hub.requests.flatMap(
      ({ path }) => /Xenova\/tiny\/resolve\/\w+\/(.*)/.exec(path)?.[1] ?? [],
    );
    expect(own).toEqual(['README.md', 'config.json']);
  });

  it('does so from the cache, offline and where the hub is down', async () => {
    const found = await fetch();
    hub.requests.length = 0;
    expect(await fetch(converted, { offline: true })).toEqual(found);
    expect(hub.requests).toEqual([]);
    expect(await fetch(converted, { endpoint: nowhere })).toEqual(found);
    await fetch();
    expect(hub.requests.map(({ path }) => path.includes('/revision/'))).toEqual([true, true]);
  });

  it.each([
    [
      'config.json with other labels',
      { 'config.json': '{"id2label":{"0":"a"}}' },
      /another one by its config/,
    ],
    ['no card', { 'README.md': '# tiny' }, /found ONNX/],
    ['a card of another library', { 'README.md': card(`base_model: ${id}`) }, /found ONNX/],
  ])('with %s is refused', async (_, changes, message) => {
    hub.push('Xenova/odd', { ...conversion, ...changes });
    const error = await failure(fetch('Xenova/odd'));
    expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED' });
    expect(error.message).toMatch(message);
  });

  it('of ONNX files is refused, and so is one of itself', async () => {
    hub.push('Xenova/again', {
      ...conversion,
      'README.md': card(`library_name: transformers.js\nbase_model: ${converted}`),
    });
    expect(await failure(fetch('Xenova/again'))).toMatchObject({ code: 'ERR_UNSUPPORTED' });
    hub.push('Xenova/self', {
      ...conversion,
      'README.md': card('library_name: transformers.js\nbase_model: Xenova/self'),
    });
    expect(await failure(fetch('Xenova/self'))).toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });
});

describe('a card', () => {
  const js = 'library_name: transformers.js';
  it.each([
    [`${js}\nbase_model: a/b`, 'a/b'],
    [`base_model: "a/b"\n${js}`, 'a/b'],
    [`base_model:\n- a/b\n${js}`, 'a/b'],
    [`base_model:\n  - 'a/b'\n${js}`, 'a/b'],
    [`base_model: [a/b]\n${js}`, 'a/b'],
    [`base_model:\n- a/b\n- c/d\n${js}`, undefined],
    [`base_model: [a/b, c/d]\n${js}`, undefined],
    ['base_model: a/b\nlibrary_name: transformers', undefined],
    ['base_model: a/b', undefined],
    [js, undefined],
    [`${js}\nbase_model: ../../b`, undefined],
    [`${js}\nbase_model:`, undefined],
  ])('%j names %s', (metadata, original) => {
    expect(originalOf(card(metadata))).toBe(original);
    expect(originalOf(card(metadata).replaceAll('\n', '\r\n'))).toBe(original);
    expect(originalOf(`x${card(metadata)}`)).toBe(undefined);
  });
});
