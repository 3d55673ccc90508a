/** Pipelines as programs for @huggingface/transformers make them: by no model's name, or by that of a conversion. */
import { describe, expect, it, vi } from 'vitest';
import { defaultModels } from '../../lib/tasks/default_models.js';
import { pipeline } from '../../lib/tasks/pipeline.js';
import { temporaryFolder } from '../tasks/tiny_model.js';
import { tinyModel } from './cache.js';
import { HubServer } from './hub_server.js';

const hub = await HubServer.start();
hub.push(defaultModels['feature-extraction'], tinyModel);
hub.push('Xenova/all-MiniLM-L6-v2', {
  'config.json': tinyModel['config.json'],
  'README.md': `---\nbase_model: ${defaultModels['feature-extraction']}\nlibrary_name: transformers.js\n---\n`,
  'onnx/model_quantized.onnx': 'x',
});
const home = await temporaryFolder();
vi.stubEnv('HF_HOME', home);
vi.stubEnv('XDG_CACHE_HOME', home);
vi.stubEnv('HF_HUB_CACHE', '');
vi.stubEnv('HUGGINGFACE_HUB_CACHE', '');
vi.stubEnv('HF_ENDPOINT', hub.endpoint);
vi.stubEnv('HF_HUB_OFFLINE', '');

describe('a pipeline', () => {
  it.each([
    ['given no model opens the usual one', undefined, /given no model; it opens sentence-transf/],
    ['given null does so, too', null, /given no model/],
    ['of a conversion opens the original', 'Xenova/all-MiniLM-L6-v2', /Xenova\S+ holds only ONNX/],
  ])('%s, and says so', async (_, model, message) => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const extract = await pipeline('feature-extraction', model);
    expect(warn.mock.calls).toEqual([[expect.stringMatching(message), expect.anything()]]);
    warn.mockRestore();
    expect((await extract('ab', { pooling: 'mean' })).dims).toEqual([1, 32]);
    await extract.dispose();
  });
});
