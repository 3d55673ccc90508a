import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exponentials } from '../../lib/generation/exponential.js';
import { generateSequences, generateTokens } from '../../lib/generation/generate.js';
import { generateBeams } from '../../lib/generation/generate_beams.js';
import type { GenerateOptions } from '../../lib/generation/options.js';
import { BestEntries, kthLargest, weightedThreshold } from '../../lib/generation/selection.js';
import {
  checkOptionsOf,
  type GenerationSettings,
  settingsFor,
} from '../../lib/generation/settings.js';
import { TableEngine } from './table_engine.js';

const vocabSize = 6;
const tables = {
  last: [
    [0, 1, 2, 0.5, -1, 0.2],
    [1, 0, -2, 2.5, 0.1, 0],
    [0.3, 2, 0, 0, 1.5, -1],
    [2, 0, 0.7, 0, 0, 1],
    [0, 1, 0, 2, 0, 0.6],
    [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
  ],
  second: Array.from({ length: 6 }, (_, a) =>
    Array.from({ length: 6 }, (_, b) => ((a * b) % 5) / 3),
  ),
};

function settingsOf(options: GenerateOptions, promptLength = 2): GenerationSettings {
  const limits = { vocabSize, contextLength: 64 };
  const given = checkOptionsOf('generate', options, limits);
  return settingsFor('generate', given, {}, limits, promptLength);
}

const generate = async (
  options: GenerateOptions,
  prompt = [1, 2],
  engine = new TableEngine(tables),
) => generateSequences(engine, prompt, settingsOf(options, prompt.length));

/** Softmax in the plainest way. */
function softmax(logits: Float32Array): number[] {
  const weights = Array.from(logits, Math.exp);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

describe('tokens that are drawn', () => {
  it('are the same for the same seed, and others for another', async () => {
    const options = { doSample: true, topK: 0, maxNewTokens: 40 };
    const [first] = await generate({ ...options, seed: 5 });
    const [again] = await generate({ ...options, seed: 5 });
    const [other] = await generate({ ...options, seed: 6 });
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  it('do not depend on the sequences beside them', async () => {
    const options = { doSample: true, seed: 11, maxNewTokens: 20, eosTokenId: 0, minNewTokens: 3 };
    const alone = await generate(options);
    const several = await generate({ ...options, numReturnSequences: 4 });
    expect(several[0]).toEqual(alone[0]);
    expect(new Set(several.map(({ ids }) => ids.join())).size).toBeGreaterThan(1);
  });

  it('come as often as their probability says', async () => {
    const draws = 4000;
    const counts = new Array<number>(vocabSize).fill(0);
    const options = { doSample: true, topK: 0, temperature: 0.8, maxNewTokens: 1 };
    const settings = { ...settingsOf({ ...options, seed: 3 }), numReturnSequences: draws };
    for (const { ids } of await generateSequences(new TableEngine(tables), [1, 2], settings)) {
      counts[ids[0]!]!++;
    }
    const logits = new TableEngine(tables).logitsAfter([1, 2]).map((value) => value / 0.8);
    softmax(logits).forEach((probability, id) => {
      const deviation = Math.sqrt(draws * probability * (1 - probability));
      expect(Math.abs(counts[id]! - draws * probability)).toBeLessThan(5 * deviation);
    });
  });

  it('with beams come as often as their probability says', async () => {
    const runs = 1500;
    let first = 0;
    for (let seed = 0; seed < runs; seed++) {
      const options = { doSample: true, topK: 0, numBeams: 2, maxNewTokens: 1, seed };
      // With one new token, the best of the two drawn first is returned: never the second best unless the best is missing.
      const [best] = await generateBeams(new TableEngine(tables), [1, 2], settingsOf(options));
      if (best!.ids[0] === 4) first++;
    }
    const p = softmax(new TableEngine(tables).logitsAfter([1, 2]));
    // The most probable is among two drawn without replacement.
    const others = p.map((value, id) => (id === 4 ? 0 : value));
    const expected = p[4]! + others.reduce((sum, value) => sum + (value * p[4]!) / (1 - value), 0);
    const deviation = Math.sqrt(runs * expected * (1 - expected));
    expect(Math.abs(first - runs * expected)).toBeLessThan(5 * deviation);
  });
});

describe('log-probabilities', () => {
  it("are the model's own, with the best alternatives", async () => {
    const [found] = await generate({ logprobs: 3, maxNewTokens: 4, logitBias: { 5: 100 } });
    expect(found!.ids).toEqual([5, 5, 5, 5]);
    const sequence = [1, 2];
    for (const { id, logprob, alternatives } of found!.logprobs!) {
      const p = softmax(new TableEngine(tables).logitsAfter(sequence));
      expect(logprob).toBeCloseTo(Math.log(p[id]!), 5);
      const best = [...p.keys()].sort((a, b) => p[b]! - p[a]!).slice(0, 3);
      expect(alternatives.map((each) => each.id)).toEqual(best);
      for (const each of alternatives) expect(each.logprob).toBeCloseTo(Math.log(p[each.id]!), 5);
      sequence.push(id);
    }
  });
});

describe('penalties for use', () => {
  it('count what was generated, not the prompt', async () => {
    const engine = new TableEngine({
      last: tables.last.map(() => [3, 2, 1, 0, -1, -2]),
      second: tables.second.map((row) => row.map(() => 0)),
    });
    const [frequency] = await generate({ frequencyPenalty: 0.6, maxNewTokens: 8 }, [0, 0], engine);
    // 3, 2.4 | 2, 1.8 …: what was used n times has lost 0.6 n.
    expect(frequency!.ids).toEqual([0, 0, 1, 0, 1, 0, 2, 1]);
    const [presence] = await generate({ presencePenalty: 1.5, maxNewTokens: 6 }, [0, 0], engine);
    expect(presence!.ids).toEqual([0, 1, 0, 0, 0, 0]);
  });
});

describe('a run', () => {
  it('ends with an id, a text or its length, and says which', async () => {
    const [byLength] = await generate({ maxNewTokens: 3 });
    expect(byLength).toEqual({ ids: [4, 3, 0], finishReason: 'length' });
    const [byId] = await generate({ maxNewTokens: 9, eosTokenId: [3, 5] });
    expect(byId).toEqual({ ids: [4, 3], finishReason: 'stop' });
    const settings = settingsOf({ maxNewTokens: 9 });
    const [byText] = await generateSequences(new TableEngine(tables), [1, 2], settings, [
      (id) => id === 0,
    ]);
    expect(byText).toEqual({ ids: [4, 3, 0], finishReason: 'stop' });
    const [none] = await generate({ maxNewTokens: 9, eosTokenId: null });
    expect(none!.ids).toHaveLength(9);
  });

  it('takes the prompt once, and ended sequences leave the batch', async () => {
    const engine = new TableEngine(tables);
    const options = {
      doSample: true,
      seed: 2,
      numReturnSequences: 5,
      maxNewTokens: 30,
      eosTokenId: 0,
    };
    const found = await generate(options, [1, 2], engine);
    expect(engine.steps[0]).toBe(1);
    expect(engine.steps[1]).toBe(found.filter(({ ids }) => ids.length > 1).length);
    expect([...engine.steps.slice(1)].sort((a, b) => b - a)).toEqual(engine.steps.slice(1));
    expect(engine.open).toBe(0);
  });

  it('frees its sequences when it is aborted or left', async () => {
    for (const numReturnSequences of [1, 3]) {
      const engine = new TableEngine(tables);
      const abort = new AbortController();
      const onProgress = ({ tokens }: { tokens: number }) =>
        tokens > 3 && abort.abort(new Error('enough'));
      const options = {
        doSample: true,
        seed: 1,
        numReturnSequences,
        signal: abort.signal,
        onProgress,
      };
      await expect(generate({ ...options, maxNewTokens: 60 }, [1], engine)).rejects.toThrow(
        'enough',
      );
      expect(engine.open).toBe(0);
      expect(engine.steps.length).toBeLessThan(6);
    }
    const engine = new TableEngine(tables);
    const beams = settingsOf({
      numBeams: 3,
      maxNewTokens: 50,
      signal: AbortSignal.abort(new Error('before')),
    });
    await expect(generateBeams(engine, [1, 2], beams)).rejects.toThrow('before');
    for await (const { id } of generateTokens(engine, [1, 2], settingsOf({ maxNewTokens: 50 }))) {
      expect(id).toBe(4);
      break;
    }
    expect(engine.open).toBe(0);
  });

  it.each([NaN, Infinity, -Infinity])(
    'refuses logits of %s, and frees its sequences',
    async (bad) => {
      const row = tables.last[3]!.map((value, id) => (id === 2 || bad === -Infinity ? bad : value));
      const engine = new TableEngine({
        ...tables,
        last: tables.last.map((each, id) => (id === 3 ? row : each)),
      });
      const expected = { code: 'ERR_ENGINE', where: 'logits after 4 ids' };
      for (const doSample of [false, true]) {
        const settings = settingsOf({ doSample, ...(doSample && { topK: 1 }), maxNewTokens: 20 });
        await expect(generateSequences(engine, [1, 2], settings)).rejects.toMatchObject(expected);
      }
      const beams = settingsOf({ numBeams: 2, maxNewTokens: 20 });
      await expect(generateBeams(engine, [1, 2], beams)).rejects.toMatchObject({
        code: 'ERR_ENGINE',
      });
      expect(engine.open).toBe(0);
    },
  );

  it('says that nothing may follow', async () => {
    const engine = new TableEngine(tables);
    const options = { suppressTokens: [0, 1, 2, 3, 4, 5] };
    const expected = { code: 'ERR_ARGUMENT', where: 'generate: after 2 ids' };
    for (const each of [options, { ...options, doSample: true }]) {
      await expect(generate(each, [1, 2], engine)).rejects.toMatchObject(expected);
    }
    const beams = settingsOf({ ...options, numBeams: 2 });
    await expect(generateBeams(engine, [1, 2], beams)).rejects.toMatchObject(expected);
    expect(engine.open).toBe(0);
  });
});

describe('selection', () => {
  const float = fc.float({ noNaN: true });

  it('finds the threshold that sorting finds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(float, fc.integer({ min: 0, max: 9 })), { minLength: 1 }),
        fc.nat(60),
        (entries, target) => {
          const values = Float32Array.from(entries, ([value]) => value);
          const weights = Float64Array.from(entries, ([, weight]) => weight);
          const sorted = [...entries]
            .filter(([, weight]) => weight > 0)
            .sort((a, b) => b[0] - a[0]);
          let sum = 0;
          const reaches = ([, weight]: [number, number]): boolean => {
            sum += weight;
            return sum >= target;
          };
          const border = sorted.find(reaches) ?? sorted.at(-1);
          if (border === undefined) return;
          const { value, above } = weightedThreshold(values, weights, values.length, target);
          expect(value).toBe(border[0] === 0 ? value : border[0]);
          const larger = entries.filter(([each]) => each > border[0]);
          if (border[0] !== 0)
            expect(above).toBe(larger.reduce((all, [, weight]) => all + weight, 0));
        },
      ),
    );
  });

  it('finds the k-th largest that sorting finds', () => {
    const values = fc.oneof(
      fc.array(fc.oneof(float, fc.constantFrom(1, 2, -Infinity)), { minLength: 1 }),
      fc.nat(5000).map((length) => Array.from({ length: length + 1 }, (_, i) => (i * 7919) % 3001)),
    );
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 2000 }), (given, k) => {
        const row = Float32Array.from(given);
        const sorted = row.slice().sort().reverse();
        const expected = k > row.length ? -Infinity : sorted[k - 1]!;
        expect(kthLargest(row, row.length, k) + 0).toBe(expected + 0); // −0 is 0
      }),
    );
  });

  it('keeps the best entries, of equal ones the first', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(float, fc.constantFrom(1, 2)), { maxLength: 40 }),
        fc.integer({ min: 1, max: 12 }),
        (scores, limit) => {
          const best = new BestEntries(limit);
          scores.forEach((score, index) => {
            best.offer(score, index);
          });
          const sorted = scores.map((score, index) => ({ score, index }));
          sorted.sort((a, b) => b.score - a.score || a.index - b.index);
          expect(best.sorted().map(({ index }) => index)).toEqual(
            sorted.slice(0, limit).map(({ index }) => index),
          );
        },
      ),
    );
  });
});

describe('exponentials', () => {
  it('are those of Math.exp, but for the last bits', () => {
    const steps = Array.from({ length: 30_000 }, (_, i) => -i / 40);
    const values = Float32Array.of(3, 3, -Infinity, -1e30, 2.9999998, ...steps);
    const weights = new Float64Array(values.length);
    const total = exponentials(values, values.length, 3, weights);
    expect([...weights.subarray(0, 4)]).toEqual([1, 1, 0, 0]);
    values.forEach((value, i) => {
      const exact = Math.exp(value - 3);
      // Numbers below 2^-1022 have fewer bits.
      expect(Math.abs(weights[i]! - exact)).toBeLessThanOrEqual(7e-16 * exact + 1e-323);
    });
    expect(total).toBe(weights.reduce((sum, weight) => sum + weight, 0));
  });
});
