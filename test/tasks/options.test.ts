import { describe, expect, it } from 'vitest';
import type { EmbedOptions } from '../../lib/tasks/embed.js';
import type { FeatureExtractionOptions } from '../../lib/tasks/feature_extraction.js';
import { load } from '../../lib/tasks/load.js';
import type { LoadOptions } from '../../lib/tasks/load_options.js';
import { pipeline } from '../../lib/tasks/pipeline.js';
import { indexPassages, passagesOf, search } from '../../lib/tasks/search.js';
import { firstDifference } from '../reference.js';
import { sentenceTransformers, tinyFolder } from './tiny_model.js';

const folder = await tinyFolder({ files: sentenceTransformers({}) });
const passages = passagesOf('# One\n\na cat\n\n# Two\n\ntwo dogs', 'a.md');

/** An option that there is not, as plain JavaScript can pass it. */
const bogus = { bogus: 1 } as object;
const refusal = (known: string) => ({
  code: 'ERR_ARGUMENT',
  message: expect.stringMatching(new RegExp(`${known}.*bogus|bogus.*${known}`)),
});

describe('an unknown option is refused', () => {
  it('by load and pipeline', async () => {
    await expect(load(folder, bogus as LoadOptions)).rejects.toMatchObject(refusal('revision'));
    const opening = pipeline('feature-extraction', folder, bogus as LoadOptions);
    await expect(opening).rejects.toMatchObject(refusal('progress_callback'));
    const extract = await pipeline('feature-extraction', folder);
    const extraction = extract('a', bogus as FeatureExtractionOptions);
    await expect(extraction).rejects.toMatchObject(refusal('pooling'));
    await extract.dispose();
  });

  it('by embed, search and indexPassages', async () => {
    using model = await load(folder);
    const embedding = model.embed('a', bogus as EmbedOptions);
    await expect(embedding).rejects.toMatchObject(refusal('truncateDim'));
    await expect(search(model, 'a', passages, bogus)).rejects.toMatchObject(refusal('limit'));
    await expect(indexPassages(model, passages, bogus)).rejects.toMatchObject(refusal('signal'));
    const index = await indexPassages(model, passages);
    await expect(index.search('a', bogus)).rejects.toMatchObject(refusal('limit'));
    await expect(model.embed('a', null as unknown as EmbedOptions)).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
    });
  });
});

describe('truncateDim', () => {
  const kept = (vector: Float32Array, width: number): number[] =>
    Array.from(vector.subarray(0, width));

  it('keeps the first dimensions, of length 1 where vectors are normalised', async () => {
    using model = await load(folder);
    for (const pooling of ['mean', 'max'] as const) {
      const [full] = await model.embed('two dogs', { normalize: false, pooling });
      const options = { pooling, truncateDim: 3 };
      const [plain] = await model.embed('two dogs', { ...options, normalize: false });
      expect(Array.from(plain)).toEqual(kept(full, 3));
      const [unit] = await model.embed('two dogs', options);
      const expected = kept(full, 3).map((value) => value / Math.hypot(...kept(full, 3)));
      expect(firstDifference(unit, expected, 1e-6, 1e-5)).toBeUndefined();
    }
    const [all] = await model.embed('two dogs', { truncateDim: 32 });
    expect(all).toEqual((await model.embed('two dogs'))[0]);
  });

  it('counts the joined vectors of several poolings', async () => {
    const files = sentenceTransformers({ pooling_mode_max_tokens: true }, { normalize: false });
    using model = await load(await tinyFolder({ files }));
    const [full] = await model.embed('two dogs');
    expect(full).toHaveLength(64);
    const [cut] = await model.embed('two dogs', { truncateDim: 40 });
    expect(Array.from(cut)).toEqual(kept(full, 40));
  });

  it.each([0, 33, 1.5, Number.NaN, '3', null])('of %s is refused', async (truncateDim) => {
    using model = await load(folder);
    const embedding = model.embed('a', { truncateDim: truncateDim as number });
    await expect(embedding).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
      message: expect.stringMatching(/truncateDim.*from 1 to 32/),
    });
  });
});
