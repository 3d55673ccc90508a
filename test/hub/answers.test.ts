/** Answers of a hub that refuse, or are none, and repositories that Heddle cannot use. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type HubSettings, repositoryFolder } from '../../lib/checkpoints/hub_cache.js';
import { fetchSnapshot } from '../../lib/hub/snapshot.js';
import { failure, id, settingsFor, tinyModel } from './cache.js';
import { answering, type Files, HubServer, sendError, sendJson, treeEntry } from './hub_server.js';

const hub = await HubServer.start();
const commit = hub.push(id, tinyModel);
let settings: HubSettings;

beforeEach(async () => {
  settings = await settingsFor(hub);
  hub.requests.length = 0;
  hub.fault = () => undefined;
});

const fetch = (changes: Partial<HubSettings> = {}, name = id) =>
  fetchSnapshot(name, { revision: 'main', settings: { ...settings, ...changes } });

const isRevision = (path: string): boolean => path.includes('/revision/');
const isTree = (path: string): boolean => path.includes('/tree/');
const isConfig = (path: string): boolean => path.endsWith(`/${commit}/config.json`);

describe('an answer that refuses', () => {
  const refusals: [
    status: number,
    header: string | undefined,
    token: string | undefined,
    code: string,
    message: RegExp,
  ][] = [
    [401, undefined, undefined, 'ERR_AUTH', /check the name, or set HF_TOKEN/],
    [401, undefined, 'hf_a', 'ERR_AUTH', /token was refused/],
    [
      401,
      'GatedRepo',
      undefined,
      'ERR_AUTH',
      /accept the conditions at \S+someone\/tiny.*HF_TOKEN/,
    ],
    [403, 'GatedRepo', 'hf_a', 'ERR_AUTH', /accept the conditions at \S+someone\/tiny.*grant/],
    [403, undefined, 'hf_a', 'ERR_AUTH', /access is forbidden/],
    [404, 'RepoNotFound', undefined, 'ERR_NOT_FOUND', /no such model.*check the name/],
    [404, 'RevisionNotFound', undefined, 'ERR_NOT_FOUND', /no revision 'main'/],
    [418, undefined, undefined, 'ERR_NETWORK', /status 418/],
  ];
  it.each(refusals)('%i %s with token %s: %s', async (status, header, token, code, message) => {
    for (const fits of [isRevision, isTree, isConfig]) {
      hub.fault = answering(fits, (_, response) => sendError(response, status, header));
      const error = await failure(fetch({ token }));
      expect(error).toMatchObject({ name: 'HeddleError', code });
      expect(error.message).toMatch(message);
      expect(error.message).toContain(hub.endpoint);
      expect(error.message).not.toMatch(/hf_a|\n/);
    }
  });

  it('names a file that is not there', async () => {
    hub.fault = answering(isConfig, (_, response) => sendError(response, 404));
    const error = await failure(fetch());
    expect(error).toMatchObject({ code: 'ERR_NOT_FOUND' });
    expect(error.message).toMatch(/no file 'config\.json'/);
  });

  it('names a model that is not there', async () => {
    await expect(fetch({}, 'nobody/nothing')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
  });
});

describe('an answer that is none', () => {
  const entry = (path: string, changes: object = {}): object[] => [
    { ...treeEntry(path, Buffer.from('x')), ...changes },
  ];
  const answers: [what: string, fits: (path: string) => boolean, body: unknown][] = [
    ['HTML for a model', isRevision, '<html>'],
    ['nothing for a model', isRevision, ''],
    ['a list for a model', isRevision, []],
    ['null for a model', isRevision, null],
    ['no commit', isRevision, { id }],
    ['a commit that leads away', isRevision, { id, sha: '../../../../x' }],
    ['HTML for files', isTree, '<html>'],
    ['an object for files', isTree, { files: [] }],
    ['null for files', isTree, null],
    ['null for a file', isTree, [null]],
    ['a file without a path', isTree, [{ type: 'file' }]],
    ['a file outside', isTree, entry('../../x')],
    ['a file in the root', isTree, entry('/etc/x')],
    ['a file of Windows', isTree, entry('..\\x')],
    ['a drive of Windows', isTree, entry('C:x')],
    ['a hash that leads away', isTree, entry('config.json', { oid: '../x' })],
    ['a hash of LFS that leads away', isTree, entry('a.bin', { lfs: { oid: '../x', size: 1 } })],
    ['a negative size', isTree, entry('config.json', { size: -1 })],
    ['a size that is none', isTree, entry('config.json', { size: 'x' })],
  ];
  it.each(answers)('%s', async (_, fits, body) => {
    hub.fault = answering(fits, (__, response) =>
      typeof body === 'string' ? response.end(body) : sendJson(response, body),
    );
    const error = await failure(fetch());
    expect(error).toMatchObject({ name: 'HeddleError', code: 'ERR_NETWORK' });
    expect(error.message).toContain(`${hub.endpoint}/api/models/${id}`);
    expect(error.message).toMatch(/expected .*found /);
    expect(existsSync(join(repositoryFolder(settings.cacheFolder, id), 'snapshots'))).toBe(false);
  });

  it('a list of files without an end', async () => {
    hub.fault = answering(isTree, ({ path }, response) => {
      response.setHeader('link', `<${hub.endpoint}${path}>; rel="next"`);
      sendJson(response, []);
    });
    expect((await failure(fetch())).message).toMatch(/pages/);
  });

  it('redirects without an end, to nowhere, and to another protocol', async () => {
    for (const location of ['', `${hub.endpoint}/again`, 'http://[', 'file:///etc/passwd']) {
      hub.fault = answering(
        (path) => isRevision(path) || path === '/again',
        (_, response) => response.writeHead(302, { location }).end(),
      );
      await expect(fetch()).rejects.toMatchObject({ code: 'ERR_NETWORK' });
    }
  });
});

describe('a repository', () => {
  const refused = async (files: Files): Promise<Error & { code: string }> => {
    hub.push('someone/odd', files);
    return (await failure(fetch({}, 'someone/odd'))) as Error & { code: string };
  };

  it('without safetensors is refused, with what it has', async () => {
    const error = await refused({
      'config.json': '{}',
      'pytorch_model.bin': 'x',
      'onnx/model.onnx': 'x',
    });
    expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED' });
    expect(error.message).toMatch(
      /someone\/odd.*model\.safetensors.*PyTorch.*ONNX.*save_pretrained/,
    );
    expect(hub.fetched()).toEqual([]);
    const onnx = await refused({ 'config.json': '{}', 'onnx/model.onnx': 'x' });
    expect(onnx.message).toMatch(
      /found ONNX; name the model that it was converted from.*base model/,
    );
    expect((await refused({ 'README.md': 'x' })).message).toMatch(/no weights/);
    expect((await refused({ 'adapter.safetensors': 'x' })).message).toMatch(/other names/);
  });

  it('whose index names what is not there is refused', async () => {
    const index = (shard: string): Files => ({
      'model.safetensors.index.json': JSON.stringify({ weight_map: { a: shard } }),
    });
    const missing = await refused(index('model-00001-of-00001.safetensors'));
    expect(missing).toMatchObject({ code: 'ERR_FORMAT' });
    expect(missing.message).toMatch(/someone\/odd.*model-00001-of-00001\.safetensors/);
    expect(await refused(index('../../x.safetensors'))).toMatchObject({ code: 'ERR_FORMAT' });
  });

  it.each(['../../x', '/etc', 'a/../..', '..'])(
    'whose modules.json leads to %s is refused',
    async (path) => {
      const modules = [{ type: 'sentence_transformers.models.Transformer', path }];
      const error = await refused({ ...tinyModel, 'modules.json': JSON.stringify(modules) });
      expect(error).toMatchObject({ code: 'ERR_FORMAT' });
      expect(error.message).toMatch(/modules\.json/);
    },
  );
});
