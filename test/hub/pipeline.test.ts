/** A pipeline on a hub, as programs of @huggingface/transformers set it up. */
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { AutoConfig } from '../../lib/tasks/auto_config.js';
import { AutoModel } from '../../lib/tasks/auto_model.js';
import { AutoTokenizer } from '../../lib/tasks/auto_tokenizer.js';
import { type FeatureExtractionPipeline, pipeline } from '../../lib/tasks/pipeline.js';
import { env } from '../../lib/tasks/pipeline_env.js';
import type { PipelineProgress } from '../../lib/tasks/pipeline_progress.js';
import { temporaryFolder } from '../tasks/tiny_model.js';
import { id, tinyModel } from './cache.js';
import { HubServer } from './hub_server.js';

const hub = await HubServer.start();
hub.push(id, tinyModel);
vi.stubEnv('HF_HUB_OFFLINE', '');
const before = { ...env };
afterAll(() => void Object.assign(env, before));

describe('a tokenizer or a config alone', () => {
  it('is fetched without the weights, and found offline from then on', async () => {
    env.remoteHost = `${hub.endpoint}/`;
    env.cacheDir = join(await temporaryFolder(), 'hub');
    hub.requests.length = 0;
    const tokenizer = await AutoTokenizer.from_pretrained(id);
    expect(hub.fetched()).toEqual(['tokenizer.json']);
    const config = await AutoConfig.from_pretrained(id);
    expect(hub.fetched()).toEqual(['config.json', 'tokenizer.json']);
    const offline = { local_files_only: true };
    expect((await AutoTokenizer.from_pretrained(id, offline)).vocabSize).toBe(tokenizer.vocabSize);
    expect(await AutoConfig.from_pretrained(id, offline)).toEqual(config);
    // What is there of it does not pass for the model.
    await expect(AutoModel.from_pretrained(id, offline)).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
    });
    await (await AutoModel.from_pretrained(id)).dispose();
    expect(hub.fetched()).toContain('model.safetensors');
  });

  it('that a repository does not have is named', async () => {
    env.remoteHost = `${hub.endpoint}/`;
    env.cacheDir = join(await temporaryFolder(), 'hub');
    const { 'tokenizer.json': _, ...files } = tinyModel;
    hub.push('someone/mute', files);
    await expect(AutoTokenizer.from_pretrained('someone/mute')).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringMatching(/someone\/mute.*tokenizer\.json/),
    });
  });
});

describe('a pipeline', () => {
  it('comes from env.remoteHost, and tells of each file', async () => {
    env.remoteHost = `${hub.endpoint}/`;
    env.cacheDir = join(await temporaryFolder(), 'hub');
    const events: PipelineProgress[] = [];
    const options = { progress_callback: (event: PipelineProgress) => void events.push(event) };
    const extract: FeatureExtractionPipeline = await pipeline('feature-extraction', id, options);
    await extract.dispose();

    const size = (path: string): number => Buffer.from(tinyModel[path]).length;
    const files = new Set(events.flatMap((event) => ('file' in event ? [event.file] : [])));
    expect(files).toContain('tokenizer.json');
    for (const file of files) {
      // The weights are downloaded, then read.
      const times = file === 'model.safetensors' ? 2 : 1;
      const own = events.filter((event) => 'file' in event && event.file === file);
      const count = (status: string): number =>
        own.filter((event) => event.status === status).length;
      expect([file, count('initiate'), count('download'), count('done')]).toEqual([
        file,
        times,
        times,
        times,
      ]);
      expect(own.map(({ status }) => status)).toEqual(
        expect.arrayContaining(['initiate', 'download', 'progress', 'done']),
      );
      const ends = own.flatMap((event) =>
        event.status === 'progress' && event.progress === 100 ? [event] : [],
      );
      expect(ends[0]).toMatchObject({
        name: id,
        stage: 'download',
        loaded: size(file),
        total: size(file),
      });
    }
    const totals = events.flatMap((event) => (event.status === 'progress_total' ? [event] : []));
    expect(totals.findLast(({ stage }) => stage === 'download')).toMatchObject({ progress: 100 });
    expect(Object.keys(totals[0].files)).toContain('config.json');
    expect(events.at(-1)).toEqual({ status: 'ready', task: 'feature-extraction', model: id });
  });

  it('says that env.remoteHost is no hub', async () => {
    for (const host of ['nowhere', 7]) {
      env.remoteHost = host as string;
      await expect(pipeline('feature-extraction', 'someone/other')).rejects.toMatchObject({
        code: 'ERR_ARGUMENT',
      });
    }
  });
});
