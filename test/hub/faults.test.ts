/** What can go wrong between here and the hub, and that nothing half is left where a model is looked for. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type HubSettings, repositoryFolder } from '../../lib/checkpoints/hub_cache.js';
import { fetchSnapshot } from '../../lib/hub/snapshot.js';
import { failure, id, listing, nowhere, settingsFor, tinyModel } from './cache.js';
import {
  answering,
  type Fault,
  type Files,
  HubServer,
  sendCut,
  sendError,
  sha256,
} from './hub_server.js';

const hub = await HubServer.start();
const needed = ['config.json', 'model.safetensors', 'tokenizer.json'];
const model: Files = Object.fromEntries(needed.map((path) => [path, tinyModel[path]]));
const commit = hub.push(id, { ...model, 'pytorch_model.bin': 'pickle' });
const weights = Buffer.from(tinyModel['model.safetensors']);
const weightsHash = sha256(weights);
let settings: HubSettings;

beforeEach(async () => {
  settings = await settingsFor(hub);
  hub.requests.length = 0;
  hub.fault = () => undefined;
});

const fetch = (changes: Partial<HubSettings> = {}, name = id, signal?: AbortSignal) =>
  fetchSnapshot(name, { revision: 'main', settings: { ...settings, ...changes }, signal });

const isWeights = (path: string): boolean => path.includes(weightsHash);
const isRevision = (path: string): boolean => path.includes('/revision/');
const isConfig = (path: string): boolean => path.endsWith(`/${commit}/config.json`);

const repository = (name = id): string => repositoryFolder(settings.cacheFolder, name);
const partsLeft = (): string[] => {
  const blobs = join(repository(), 'blobs');
  return existsSync(blobs) ? readdirSync(blobs).filter((name) => /incomplete$/.test(name)) : [];
};
const expectWhole = (folder: string): void => {
  expect(listing(folder)).toEqual(needed);
  for (const path of needed) {
    expect(readFileSync(join(folder, path))).toEqual(Buffer.from(tinyModel[path]));
  }
  expect(partsLeft()).toEqual([]);
};
/** No file of the snapshot is anything but whole. */
const expectNothingHalf = (): void => {
  const snapshot = join(repository(), 'snapshots', commit);
  for (const path of existsSync(snapshot) ? listing(snapshot) : []) {
    expect(readFileSync(join(snapshot, path))).toEqual(Buffer.from(tinyModel[path]));
  }
  expect(existsSync(join(repository(), 'blobs', weightsHash))).toBe(false);
};

describe('a cut download', () => {
  it('goes on where it was cut, within one call', async () => {
    const cut: Fault = answering(isWeights, (_, response) => sendCut(response, weights, 5000), 1);
    hub.fault = cut;
    expectWhole((await fetch()).folder);
    const ranges = hub.requests.filter(({ path }) => isWeights(path)).map(({ range }) => range);
    expect(ranges[0]).toBeUndefined();
    expect(ranges).toHaveLength(2);
    expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
  });

  it('goes on where it was cut, in a later call', async () => {
    hub.fault = answering(isWeights, ({ range }, response) => {
      if (range === undefined) sendCut(response, weights, 5000);
      else response.destroy();
    });
    const error = await failure(fetch());
    expect(error).toMatchObject({ code: 'ERR_NETWORK' });
    expect(error.message).toMatch(/connection was cut.*try again/);
    expect(error.message).not.toContain('secret');
    expectNothingHalf();
    expect(partsLeft()).toHaveLength(1);
    await expect(fetch({ offline: true })).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    hub.requests.length = 0;
    hub.fault = () => undefined;
    expectWhole((await fetch()).folder);
    const asked = hub.requests.filter(({ path }) => isWeights(path));
    expect(asked.map(({ range }) => range)).toEqual([expect.stringMatching(/^bytes=[1-9]/)]);
  });

  it('of a small file leaves no snapshot that looks like a model', async () => {
    const isTokenizer = (path: string): boolean => path.endsWith('/tokenizer.json');
    hub.fault = answering(isTokenizer, (_, response) => sendError(response, 500));
    await expect(fetch()).rejects.toMatchObject({ code: 'ERR_NETWORK' });
    await expect(fetch({ offline: true })).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    hub.fault = answering(
      (path) => path.includes('/tree/'),
      (_, response) => sendError(response, 500),
    );
    await expect(fetch()).rejects.toMatchObject({ code: 'ERR_NETWORK' });
    hub.requests.length = 0;
    hub.fault = () => undefined;
    expectWhole((await fetch()).folder);
    expect(hub.requests.filter(({ path }) => isWeights(path))).toEqual([]);
  });

  it('begins anew where a server knows no ranges, or the part was wrong', async () => {
    for (const left of [3000, weights.length, weights.length + 1]) {
      settings = await settingsFor(hub);
      const part = join(repository(), 'blobs', `${weightsHash}.heddle-00000000.incomplete`);
      await mkdir(dirname(part), { recursive: true });
      await writeFile(part, Buffer.alloc(left, 7));
      expectWhole((await fetch()).folder);
    }
    settings = await settingsFor(hub);
    hub.fault = answering(isWeights, (_, response) => {
      if (hub.requests.filter(({ path }) => isWeights(path)).length % 2 === 1)
        sendCut(response, weights, 5000);
      else response.end(weights);
    });
    hub.requests.length = 0;
    expectWhole((await fetch()).folder);
  });

  it('gives up a connection that always ends', async () => {
    hub.fault = answering(isWeights, (_, response) => response.destroy());
    await expect(fetch()).rejects.toMatchObject({ code: 'ERR_NETWORK' });
    const tries = hub.requests.filter(({ path }) => isWeights(path));
    expect(tries).toHaveLength(settings.attempts);
  });

  it('ends what stands still', async () => {
    hub.fault = answering(isWeights, (_, response) => {
      response.writeHead(200, { 'content-length': weights.length });
      response.write(weights.subarray(0, 100));
    });
    const error = await failure(fetch({ stallTimeout: 50, attempts: 2 }));
    expect(error).toMatchObject({ code: 'ERR_NETWORK' });
    expect(error.message).toMatch(/no answer within 0\.05 s.*HF_HUB_DOWNLOAD_TIMEOUT/);
    hub.fault = answering(isRevision, () => {});
    const silent = await failure(fetch({ answerTimeout: 50, attempts: 1 }));
    expect(silent.message).toMatch(/no answer within 0\.05 s.*HF_HUB_ETAG_TIMEOUT/);
  });

  it('stops at a signal, and leaves what it has', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    hub.fault = answering(isWeights, (_, response) => {
      response.writeHead(200, { 'content-length': weights.length });
      response.write(weights.subarray(0, 5000));
      setTimeout(() => controller.abort(reason), 100);
    });
    expect(await failure(fetch({}, id, controller.signal))).toBe(reason);
    expect(partsLeft()).toHaveLength(1);
    expectNothingHalf();
    expect(await failure(fetch({}, id, AbortSignal.abort(reason)))).toBe(reason);
    hub.fault = () => undefined;
    expectWhole((await fetch()).folder);
  });
});

describe('wrong bytes', () => {
  const wrong = Buffer.from(weights);
  wrong[wrong.length - 1] ^= 1;

  it('are an error, and never a file', async () => {
    hub.fault = answering(isWeights, (_, response) => response.end(wrong));
    const error = await failure(fetch());
    expect(error).toMatchObject({
      code: 'ERR_NETWORK',
      expected: expect.stringContaining(weightsHash),
    });
    expect(error.message).toMatch(/expected bytes with the hash/);
    expectNothingHalf();
    expect(partsLeft()).toEqual([]);
    hub.fault = () => undefined;
    expectWhole((await fetch()).folder);
  });

  it('of a small file are seen too', async () => {
    const config = Buffer.from(tinyModel['config.json']);
    const other = Buffer.from(config);
    other[3] ^= 1;
    hub.fault = answering(isConfig, (_, response) => response.end(other));
    await expect(fetch()).rejects.toMatchObject({ code: 'ERR_NETWORK' });
  });

  const lengths: [what: string, answer: Fault][] = [
    ['too few', (_, response) => void response.end(weights.subarray(1)) as undefined],
    ['too many', (_, response) => void response.end(Buffer.concat([weights, wrong])) as undefined],
    [
      'too many, in chunks',
      (_, response) => {
        response.write(weights);
        response.end(wrong);
        return undefined;
      },
    ],
    [
      'a page',
      (_, response) => {
        response.setHeader('content-type', 'text/html');
        response.end('<html>log in</html>');
        return undefined;
      },
    ],
  ];
  it.each(lengths)('in number: %s', async (_, answer) => {
    hub.fault = answering(isWeights, answer);
    const error = await failure(fetch());
    expect(error).toMatchObject({ code: 'ERR_NETWORK' });
    expect(error.message).toContain(`${weights.length} bytes`);
    expectNothingHalf();
  });

  it('in place of a range are refused', async () => {
    hub.fault = answering(isWeights, ({ range }, response) => {
      if (range === undefined) return sendCut(response, weights, 5000);
      const headers = { 'content-range': `bytes 0-9/${weights.length}` };
      return response.writeHead(206, headers).end(weights.subarray(0, 10));
    });
    await expect(fetch()).rejects.toMatchObject({ code: 'ERR_NETWORK' });
    expectNothingHalf();
  });
});

describe('a busy hub', () => {
  it.each([429, 500, 502, 503, 504])('that answers %i is asked again', async (status) => {
    const refused = new Map<string, number>();
    hub.fault = ({ path }, response) => {
      const times = refused.get(path) ?? 0;
      refused.set(path, times + 1);
      if (times < 2) sendError(response, status);
      return times < 2;
    };
    // The weights are refused by the hub, and then by its storage.
    expectWhole((await fetch({ attempts: 5 })).folder);
  });

  it('is given up after some tries, and where it asks to wait long', async () => {
    hub.fault = answering(isRevision, (_, response) => sendError(response, 503));
    const error = await failure(fetch());
    expect(error).toMatchObject({ code: 'ERR_NETWORK' });
    expect(error.message).toMatch(/busy.*try again later.*503/);
    expect(hub.requests).toHaveLength(settings.attempts);
    hub.requests.length = 0;
    hub.fault = answering(isRevision, (_, response) =>
      sendError(response, 429, undefined, { 'retry-after': '3600' }),
    );
    expect((await failure(fetch())).message).toMatch(/try again in 3600 s.*HF_TOKEN/);
    expect(hub.requests).toHaveLength(1);
  });

  it('is waited for as long as it asks', async () => {
    const begin = Date.now();
    const retryAfter = new Date(begin + 2000).toUTCString(); // whole seconds
    hub.fault = answering(
      isRevision,
      (_, response) => sendError(response, 429, undefined, { 'retry-after': retryAfter }),
      1,
    );
    await fetch();
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(retryAfter));
  });

  it('that is not there is an error at once, with what to do', async () => {
    const error = await failure(fetch({ endpoint: nowhere, firstWait: 1e6 }));
    expect(error).toMatchObject({ code: 'ERR_NETWORK' });
    expect(error.message).toMatch(/127\.0\.0\.1:\d+.*cannot be reached.*HF_ENDPOINT/);
  });
});
