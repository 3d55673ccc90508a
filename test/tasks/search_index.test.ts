import { describe, expect, it } from 'vitest';
import { load } from '../../lib/tasks/load.js';
import type { Model } from '../../lib/tasks/model.js';
import { indexPassages, type Passage, passagesOf, search } from '../../lib/tasks/search.js';
import { sentenceTransformers, tinyFolder } from './tiny_model.js';

const folder = await tinyFolder({ files: sentenceTransformers({}) });
const passages = ['a cat sits', 'two dogs run', '1 2 3', 'a cat sits, too', 'x', 'y z'].map(
  (text, i): Passage => ({ file: 'a.md', line: i + 1, headings: [], text }),
);

describe('an index', () => {
  it('answers as search does, embedding each passage once', async () => {
    using model = await load(folder);
    let texts = 0;
    const counting = {
      embed: (given: string | readonly string[], options: object) => {
        texts += typeof given === 'string' ? 1 : given.length;
        return model.embed(given, options);
      },
    } as unknown as Model;
    const seen: number[] = [];
    const onProgress = ({ done }: { done: number }): unknown => seen.push(done);
    const index = await indexPassages(counting, passages, { onProgress });
    expect([texts, seen.at(-1)]).toEqual([6, 6]);
    for (const query of ['a cat sits', '3 2 1']) {
      expect(await index.search(query)).toEqual(await search(model, query, passages));
    }
    expect(texts).toBe(8);
  });

  it('gives the nearest first, five or as many as wanted', async () => {
    using model = await load(folder);
    const index = await indexPassages(model, passages);
    const [best] = await index.search('two dogs run', { limit: 1 });
    expect(best.passage).toBe(passages[1]);
    expect(best.score).toBeCloseTo(1, 5);
    const all = await index.search('a', { limit: 100 });
    const scores = all.map(({ score }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect([(await index.search('a')).length, all.length]).toEqual([5, 6]);
  });

  it('keeps its passages whatever becomes of the array', async () => {
    using model = await load(folder);
    const given = [...passages];
    const index = await indexPassages(model, given);
    given.reverse().length = 2;
    expect((await index.search('two dogs run'))[0].passage).toBe(passages[1]);
    expect(await (await indexPassages(model, [])).search('a')).toEqual([]);
  });

  it('stops for a signal, and with its model', async () => {
    const model = await load(folder);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(indexPassages(model, passages, { signal })).rejects.toThrow('enough');
    const index = await indexPassages(model, passages);
    await expect(index.search('a', { signal })).rejects.toThrow('enough');
    model.dispose();
    await expect(index.search('a')).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });
});

describe('wrong arguments', () => {
  const wrong = (value: unknown): never => value as never;

  it('of search and indexPassages are ERR_ARGUMENT', async () => {
    using model = await load(folder);
    const index = await indexPassages(model, passages);
    const holes = [...passages];
    delete holes[2];
    const calls: [call: () => Promise<unknown>, message: RegExp][] = [
      [() => search(wrong('model'), 'a', passages), /search: model.*'model'/],
      [() => search(wrong(undefined), 'a', passages), /search: model.*undefined/],
      [() => search(model, wrong(7), passages), /search: query.*a string.*7/],
      [() => search(model, wrong(['a']), passages), /search: query.*a string.*array/],
      [() => search(model, 'a', wrong('text')), /search: passages.*array.*'text'/],
      [() => search(model, 'a', wrong(['text'])), /search: passages\[0\].*passagesOf.*'text'/],
      [() => search(model, 'a', holes), /search: passages\[2\].*undefined/],
      [() => search(model, 'a', passages, { limit: 0 }), /search: limit.*from 1.*0/],
      [() => search(model, 'a', passages, { limit: wrong('5') }), /search: limit.*from 1.*5/],
      [() => indexPassages(wrong({}), passages), /indexPassages: model/],
      [() => indexPassages(model, wrong(null)), /indexPassages: passages.*null/],
      [() => index.search(wrong(undefined)), /search: query.*undefined/],
      [() => index.search('a', { limit: 1.5 }), /search: limit.*1\.5/],
    ];
    for (const [call, message] of calls) {
      await expect(call()).rejects.toMatchObject({
        code: 'ERR_ARGUMENT',
        message: expect.stringMatching(message),
      });
    }
  });

  it('of passagesOf are ERR_ARGUMENT', () => {
    for (const call of [
      () => passagesOf(wrong(undefined), 'a.md'),
      () => passagesOf(wrong(Buffer.from('a')), 'a.md'),
      () => passagesOf('a', wrong(undefined)),
    ]) {
      expect(call).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT' }));
      expect(call).toThrow(/passagesOf: (text|file): expected a string/);
    }
  });
});
