import { afterAll, describe, expect, it } from 'vitest';
import { ReferenceBackend } from '../../lib/graph/reference_backend.js';
import { pageBytes } from '../../lib/layers/kv_cache.js';
import type { PagedEngine } from '../../lib/models/paged_engine.js';
import { load } from '../../lib/tasks/load.js';
import { nativeBackend } from '../native.js';
import { decoderOf, engineOf, fixture, ids } from './decoders.js';

const engines: PagedEngine[] = [];
const engine = async (...of: Parameters<typeof engineOf>): Promise<PagedEngine> => {
  const made = await engineOf(...of);
  engines.push(made);
  return made;
};
afterAll(() => {
  for (const each of engines) each.dispose();
});

/** More positions than the fixtures were made with, so that several pages are in use. */
const long = { fields: { max_position_embeddings: 2048 } };

const next = async (of: PagedEngine, sequence: ReturnType<PagedEngine['begin']>, more: number[]) =>
  (await of.step([{ sequence, ids: more }]))[0];

describe('a step', () => {
  it('gives what the whole text gives at once', async () => {
    const text = ids(90);
    using model = await load(fixture('llama/1'));
    const { logits } = await model.forward({ inputIds: [text] });
    const width = logits.shape[2];
    const cached = await engine('llama/1');
    const sequence = cached.begin();
    const parts = [text.slice(0, 7), text.slice(7, 70), text.slice(70, 71), text.slice(71)];
    let at = 0;
    for (const part of parts) {
      const found = await next(cached, sequence, part);
      at += part.length;
      const expected = logits.data.subarray((at - 1) * width, at * width);
      found.forEach((value, i) => {
        expect(Math.abs(value - expected[i])).toBeLessThan(1e-4);
      });
    }
  });

  it.each(['llama/1', 'gemma3_text/1', 'phi3/2', 'falcon/2', 'qwen3_moe/2'])(
    'gives each sequence of %s the bits that it gets alone',
    async (name) => {
      const cached = await engine(name);
      const texts = [ids(70, 1), ids(3, 2), ids(20, 3)].map((text) => text.slice(0, 90));
      const alone: Float32Array[] = [];
      for (const text of texts) {
        const sequence = cached.begin();
        await next(cached, sequence, text);
        alone.push(await next(cached, sequence, [5]));
      }
      const together = texts.map(() => cached.begin());
      await cached.step(texts.map((text, i) => ({ sequence: together[i], ids: text })));
      const found = await cached.step(together.map((sequence) => ({ sequence, ids: [5] })));
      expect(found).toEqual(alone);
    },
  );

  it('is one native call, whatever is in it', async () => {
    const { addon } = nativeBackend();
    const cached = await engine('llama/1', {}, long);
    const [writing, reading] = [cached.begin(), cached.begin()];
    await next(cached, writing, ids(100));
    const copy = cached.fork(writing);
    await next(cached, reading, [4]);
    const before = addon.counters().runs;
    await cached.step([
      { sequence: writing, ids: [7] },
      { sequence: copy, ids: [8] },
      { sequence: reading, ids: ids(150, 5) },
    ]);
    expect(addon.counters().runs - before).toBe(1);
  });

  it('leaves out logits that nobody wants', async () => {
    const cached = await engine('llama/1');
    const sequence = cached.begin();
    const [none] = await cached.step([{ sequence, ids: ids(5), wantsLogits: false }]);
    expect(none.length).toBe(0);
    const other = cached.begin();
    await next(cached, other, ids(5));
    expect(await next(cached, sequence, [9])).toEqual(await next(cached, other, [9]));
  });

  it('agrees with the float64 backend', async () => {
    const backend = new ReferenceBackend();
    const found: Float32Array[] = [];
    for (const of of [await engine('qwen3/1'), await engine('qwen3/1', {}, { backend })]) {
      const sequence = of.begin();
      await next(of, sequence, ids(66));
      const copy = of.fork(sequence);
      await next(of, copy, [3]);
      found.push(await next(of, sequence, [6]));
    }
    found[0].forEach((value, i) => {
      expect(Math.abs(value - found[1][i])).toBeLessThan(1e-4);
    });
  });
});

describe('the cache', () => {
  it.each([
    ['bfloat16', 0.05],
    ['int8', 0.1],
  ] as const)('keeps keys and values as %s, nearly as float32', async (dtype, allowed) => {
    const [exact, rounded] = [await engine('llama/1'), await engine('llama/1', { dtype })];
    const of = async (cached: PagedEngine): Promise<Float32Array> => {
      const sequence = cached.begin();
      await next(cached, sequence, ids(70));
      return next(cached, sequence, [4]);
    };
    const [a, b] = [await of(exact), await of(rounded)];
    const norm = (x: Float32Array): number => Math.hypot(...x);
    expect(norm(a.map((value, i) => value - b[i])) / norm(a)).toBeLessThan(allowed);
  });

  it('lets forks share whole pages, and gives each its own when it writes', async () => {
    const cached = await engine('llama/1', {}, long);
    const sequence = cached.begin();
    await next(cached, sequence, ids(150));
    expect(cached.pages.inUse).toBe(3);
    const forks = [cached.fork(sequence), cached.fork(sequence)];
    expect(cached.pages.inUse).toBe(3);
    const whole = cached.begin();
    await next(cached, whole, ids(150));
    const expected = await next(cached, whole, [11]);
    await next(cached, sequence, [12]);
    const found = await cached.step(forks.map((fork) => ({ sequence: fork, ids: [11] })));
    expect(found).toEqual([expected, expected]);
    for (const each of [sequence, whole, ...forks]) cached.free(each);
    cached.free(sequence);
    expect(cached.pages.inUse).toBe(0);
  });

  it('computes a common beginning once', async () => {
    const cached = await engine('llama/1', {}, long);
    const common = ids(200);
    const first = cached.begin();
    const expected = await next(cached, first, [...common, 9]);
    cached.free(first);
    const second = cached.begin();
    expect(cached.reuse(second, [...common, 9])).toBe(192);
    const found = await next(cached, second, [...common, 9].slice(192));
    expect(found).toEqual(expected);
    const other = cached.begin();
    expect(cached.reuse(other, [1, ...common])).toBe(0);
  });

  it('is saved and restored', async () => {
    const cached = await engine('gemma2/1', {}, long);
    const sequence = cached.begin();
    await next(cached, sequence, ids(100));
    const saved = await cached.save(sequence);
    const expected = await next(cached, sequence, [8]);
    const other = await engine('gemma2/1', {}, long);
    const restored = (await other.restore(saved)) as typeof sequence;
    expect(restored.ids).toEqual(ids(100));
    expect(await next(other, restored, [8])).toEqual(expected);
    await expect(other.restore({ ...saved, rows: {} })).rejects.toMatchObject({
      code: 'ERR_INPUT',
    });
    expect(other.pages.inUse).toBe(2);
  });

  it('evicts the sequence that has rested longest, which is then computed again', async () => {
    const bytes = 3 * pageBytes((await decoderOf('llama/1')).cacheShape, 'float32');
    const cached = await engine('llama/1', { bytes }, long);
    expect(cached.pages.total).toBe(3);
    const [old, young] = [cached.begin(), cached.begin()];
    await next(cached, old, ids(100, 1));
    await next(cached, young, ids(60, 2));
    await next(cached, young, ids(60, 3));
    const roomy = await engine('llama/1', {}, long);
    const whole = roomy.begin();
    expect(await next(cached, old, [5])).toEqual(await next(roomy, whole, [...ids(100, 1), 5]));
  });

  it('says that it is full where nothing may be evicted, and goes on', async () => {
    const bytes = 2 * pageBytes((await decoderOf('llama/1')).cacheShape, 'float32');
    const cached = await engine('llama/1', { bytes, whenFull: 'error' }, long);
    const sequence = cached.begin();
    const expected = await next(cached, sequence, ids(64));
    const big = cached.begin();
    await expect(next(cached, big, ids(65, 2))).rejects.toMatchObject({
      code: 'ERR_MEMORY',
      message: expect.stringMatching(/128 positions.*cache\.bytes/),
    });
    cached.free(big);
    cached.free(sequence);
    expect(cached.pages.inUse).toBe(0);
    expect(await next(cached, cached.begin(), ids(64))).toEqual(expected);
  });

  it('reads a text again when it has become too long for its angles', async () => {
    const cached = await engine('phi3/2');
    const text = ids(40);
    const [bit, whole] = [cached.begin(), cached.begin()];
    await next(cached, bit, text.slice(0, 20));
    for (const id of text.slice(20, 39)) await next(cached, bit, [id]);
    expect(await next(cached, bit, text.slice(39))).toEqual(await next(cached, whole, text));
  });
});

describe('an engine refuses', () => {
  it('what it cannot compute, and is as it was', async () => {
    const cached = await engine('llama/1');
    const sequence = cached.begin();
    const freed = cached.begin();
    cached.free(freed);
    const item = (more: unknown, of: unknown = sequence) => ({ sequence: of, ids: more }) as never;
    const wrong: [batch: unknown, code: string, message: RegExp][] = [
      [[], 'ERR_ARGUMENT', /at least one sequence/],
      [[item([1]), item([2])], 'ERR_ARGUMENT', /twice/],
      [[item([1], {})], 'ERR_ARGUMENT', /begin or fork/],
      [[item([1], freed)], 'ERR_ARGUMENT', /freed/],
      [[item([])], 'ERR_INPUT', /at least one id/],
      [[item([1, 67])], 'ERR_INPUT', /ids\[1\].*0 to 66.*67/],
      [[item([1.5])], 'ERR_INPUT', /ids\[0\].*1\.5/],
      [[item('1')], 'ERR_INPUT', /an array.*'1'/],
      [[item(new Array(97).fill(1))], 'ERR_INPUT', /at most 96 ids.*97/],
    ];
    for (const [batch, code, message] of wrong) {
      await expect(cached.step(batch as never)).rejects.toMatchObject({
        name: 'HeddleError',
        code,
        message: expect.stringMatching(message),
      });
    }
    expect(cached.pages.inUse).toBe(0);
    expect((await next(cached, sequence, [1])).length).toBe(67);
  });

  it('caches that cannot be', async () => {
    const wrong: [options: object, message: RegExp][] = [
      [{ dtype: 'float16' }, /cache: dtype.*'float32', 'bfloat16', 'int8'.*'float16'/],
      [{ bytes: 7 }, /cache: bytes.*one page of 64 positions.*7/],
      [{ whenFull: 'wait' }, /cache: whenFull.*'wait'/],
      [{ size: 3 }, /cache.*'size'/],
    ];
    for (const [options, message] of wrong) {
      await expect(engineOf('llama/1', options)).rejects.toThrow(message);
    }
  });
});
