import { describe, expect, it } from 'vitest';
import { BeamSearch } from '../../lib/generation/beam_search.js';
import type { TokenLogprob } from '../../lib/generation/log_probabilities.js';
import { createProcessors } from '../../lib/generation/logits_processors.js';
import type { GenerateOptions } from '../../lib/generation/options.js';
import { Sampler } from '../../lib/generation/sampler.js';
import { ScoreRow } from '../../lib/generation/score_row.js';
import { checkOptionsOf, settingsFor } from '../../lib/generation/settings.js';
import { philox } from '../../lib/graph/philox.js';
import { run } from '../../lib/graph/run.js';
import { tensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';
import { blockColumns, blockError, logitRow } from '../../lib/ops/logit_blocks.js';

const vocabSize = 5003;
const rows = 160;

/** Rows of several kinds: spread, with a peak, of few different values, and with ids that never follow. */
function logits(): Float32Array {
  const values = new Float32Array(rows * vocabSize);
  for (let row = 0; row < rows; row++) {
    const spread = [1, 3, 6, 12][row % 4]!;
    for (let id = 0; id < vocabSize; id++) {
      const [a, b] = philox(id, row, 7);
      const normal =
        Math.sqrt(-2 * Math.log((a + 0.5) / 2 ** 32)) * Math.cos((b / 2 ** 32) * 6.2832);
      const value = spread * normal + (row % 8 > 3 && id === 77 * row ? 4 * spread : 0);
      values[row * vocabSize + id] =
        row % 5 === 3 ? Math.round(value) : row % 7 === 5 && id % 3 > 0 ? -Infinity : value;
    }
  }
  return values;
}

const given = logits();

/** The rows as the engine gives them at a temperature. */
async function blocksAt(temperature: number): Promise<Float32Array[]> {
  const x = tensor(given, [rows, vocabSize]);
  const temperatures = tensor(new Float32Array(rows).fill(temperature), [rows]);
  const { data, shape } = await run(ops.logitBlocks(x, temperatures));
  return Array.from({ length: rows }, (_, row) =>
    (data as Float32Array).slice(row * shape[1]!, (row + 1) * shape[1]!),
  );
}

const rowOf = (row: number): Float32Array => given.slice(row * vocabSize, (row + 1) * vocabSize);

const history = {
  ids: Array.from({ length: 60 }, (_, i) => (i * 911) % vocabSize),
  promptLength: 20,
};

const penalties: GenerateOptions = {
  repetitionPenalty: 1.3,
  frequencyPenalty: 0.4,
  presencePenalty: 0.2,
  noRepeatNgramSize: 1,
  logitBias: { 17: 6, 4000: -100 },
  suppressTokens: [3, 4, 5],
};

const cases: [string, GenerateOptions][] = [
  ['the best', { doSample: false, ...penalties }],
  ['temperature', { doSample: true, topK: 0, temperature: 0.8 }],
  ['temperature above 1', { doSample: true, topK: 0, temperature: 1.7 }],
  ['a temperature so low that quotients overflow', { doSample: true, topK: 0, temperature: 1e-38 }],
  ['top-k', { doSample: true, topK: 30 }],
  ['top-k of more than there are blocks', { doSample: true, topK: 100 }],
  ['top-k and top-p', { doSample: true, topK: 20, topP: 0.8, temperature: 0.7 }],
  ['top-p', { doSample: true, topK: 0, topP: 0.9, temperature: 0.7 }],
  ['top-p, a low one', { doSample: true, topK: 0, topP: 0.2 }],
  ['min-p', { doSample: true, topK: 0, minP: 0.05, temperature: 1.2 }],
  ['top-p and min-p', { doSample: true, topK: 0, topP: 0.95, minP: 0.02 }],
  ['typical', { doSample: true, topK: 0, typicalP: 0.5 }],
  ['penalties', { doSample: true, topK: 0, temperature: 0.9, ...penalties }],
  ['penalties and top-p', { doSample: true, topK: 0, topP: 0.7, ...penalties }],
  ['penalties and top-k', { doSample: true, topK: 40, ...penalties }],
  ['a forced token', { doSample: true, topK: 0, forcedEosTokenId: 9, maxNewTokens: 41 }],
];

function settingsOf(options: GenerateOptions, seed: number) {
  const limits = { vocabSize, contextLength: 1000 };
  const checked = checkOptionsOf('generate', { ...options, seed }, limits);
  return settingsFor('generate', checked, {}, limits, history.promptLength);
}

/** Whether log-probabilities agree to what float32 sums leave. */
function expectClose(found: TokenLogprob | undefined, expected: TokenLogprob | undefined): void {
  expect(found!.logprob).toBeCloseTo(expected!.logprob, 5);
  const ids = ({ alternatives }: TokenLogprob) => alternatives.map(({ id }) => id);
  expect(ids(found!)).toEqual(ids(expected!));
  found!.alternatives.forEach(({ logprob }, i) => {
    expect(logprob).toBeCloseTo(expected!.alternatives[i]!.logprob, 5);
  });
}

describe('a score before processors', () => {
  it('is known after two of them forced tokens', () => {
    const row = new ScoreRow(Float32Array.of(0.5, 1.5, 2.5), 3);
    row.keepOriginals();
    row.set(2, 7);
    row.only([0]);
    row.only([1]);
    expect([0, 1, 2].map((id) => row.original(id))).toEqual([0.5, 1.5, 2.5]);
    expect([0, 1, 2].map((id) => row.get(id))).toEqual([-Infinity, 0, -Infinity]);
  });
});

describe('tokens chosen with the sums of blocks', () => {
  it.each(cases)('are those chosen without them: %s', async (_, options) => {
    const blocks = await blocksAt(options.temperature ?? 1);
    for (let row = 0; row < rows; row++) {
      const sampler = new Sampler(settingsOf(options, row), vocabSize);
      const expected = sampler.choose(rowOf(row), history, 0);
      expect(sampler.choose(blocks[row]!, history, 0)).toEqual(expected);
    }
  });

  it.each(cases)('have the same log-probabilities: %s', async (_, options) => {
    const blocks = await blocksAt(options.temperature ?? 1);
    for (let row = 0; row < rows; row += 5) {
      const settings = settingsOf({ ...options, logprobs: row % 2 === 0 ? 7 : 0 }, row);
      const sampler = new Sampler(settings, vocabSize);
      const expected = sampler.choose(rowOf(row), history, 0);
      const found = sampler.choose(blocks[row]!, history, 0);
      expect(found.id).toBe(expected.id);
      expectClose(found.logprob, expected.logprob);
    }
  });

  // Of one block the whole error moves the place, and nothing moves the borders of ids.
  it.each([1, -1])('take the whole row where the error, by %i, decides', async (sign) => {
    const row = Float32Array.of(3, 1, 0, -4);
    const exact = Array.from(row, (score) => Math.exp(score - 3));
    const total = exact.reduce((sum, weight) => sum + weight, 0);
    const { data } = await run(
      ops.logitBlocks(tensor(row, [1, 4]), tensor(Float32Array.of(1), [1])),
    );
    const off = data as Float32Array;
    logitRow(off, 4).scaledSums[0] = total * (1 + 0.9 * sign * blockError);
    for (const id of [0, 1]) {
      const border = exact[0]! + (id === 1 ? exact[1]! : 0);
      for (const step of [0.1, 0.4, 0.7, 0.8]) {
        // On the side of the border from which the error pushes.
        const share = (border / total) * (1 - step * sign * blockError);
        const found = new ScoreRow(off.slice(), 4).idAt(share);
        expect([undefined, share * total < border ? id : id + 1]).toContain(found);
      }
    }
  });

  it('seldom take the whole row', async () => {
    const blocks = await blocksAt(0.8);
    const spread = blocks.filter((_, row) => row % 4 > 0 && row % 5 !== 3);
    const open = spread.filter((row, i) => {
      return new ScoreRow(row, vocabSize, 0.8).idAt((i + 0.5) / spread.length) === undefined;
    });
    expect(open.length).toBeLessThan(spread.length / 20);
  });

  it.each([NaN, Infinity])('are none where a logit is %s', async (odd) => {
    const at = 4321;
    const blocks = await blocksAt(1);
    const sampler = new Sampler(settingsOf({ doSample: true, topK: 0 }, 1), vocabSize);
    const found = [rowOf(0), blocks[0]!].map((row, i) => {
      row[at] = odd;
      if (i === 1) logitRow(row, vocabSize).sums[Math.floor(at / blockColumns)] = NaN;
      return caught(() => sampler.choose(row, history, 0));
    });
    expect(found[0]).toMatchObject({
      code: 'ERR_ENGINE',
      message: expect.stringContaining('4321'),
    });
    expect(found[1]).toEqual(found[0]);
  });

  it('are none where nothing may follow', async () => {
    const x = tensor(new Float32Array(vocabSize).fill(-Infinity), [1, vocabSize]);
    const { data } = await run(ops.logitBlocks(x, tensor(Float32Array.of(1), [1])));
    const sampler = new Sampler(settingsOf({ doSample: true }, 1), vocabSize);
    expect(() => sampler.choose(data as Float32Array, history, 0)).toThrow(/every id/);
  });
});

function caught(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}

describe('beams chosen with the sums of blocks', () => {
  it.each([0, 3])('are those chosen without them: rows from %i on', async (first) => {
    const blocks = await blocksAt(1);
    const settings = {
      numBeams: 4,
      lengthPenalty: 1,
      earlyStopping: false as const,
      eosTokenIds: [11],
      maxLength: 30,
    };
    const search = () => new BeamSearch([1, 2], settings);
    const [plain, sparse] = [search(), search()];
    const processors = createProcessors(settingsOf(penalties, 0));
    const scores = (row: Float32Array): ScoreRow => {
      const given = new ScoreRow(row, vocabSize);
      given.subtract(given.logSumExp(given.check(2)));
      for (const process of processors) process(given, history);
      return given;
    };
    for (let step = first; step < 28; step++) {
      const of = (beam: number) => (4 * step + beam) % rows;
      const beams = [0, 1, 2, 3];
      const expected = plain.advance(beams.map((beam) => scores(rowOf(of(beam)))));
      const found = sparse.advance(beams.map((beam) => scores(blocks[of(beam)]!.slice())));
      expect(found).toEqual(expected);
    }
    const results = plain.results(4);
    sparse.results(4).forEach(({ ids, score }, i) => {
      expect(ids).toEqual(results[i]!.ids);
      expect(score).toBeCloseTo(results[i]!.score, 5);
    });
  });
});
