import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type BleuOptions, bleu } from '../../lib/scores/bleu.js';
import { type ChrfOptions, chrf } from '../../lib/scores/chrf.js';
import { fixed } from '../../lib/scores/signature.js';

interface Expected {
  score: number;
  line: string;
}

interface Golden {
  bleuOptions: Record<string, unknown>[];
  chrfOptions: Record<string, unknown>[];
  cases: { hypotheses: string[]; references: string[][]; bleu: Expected[]; chrf: Expected[] }[];
}

/** What sacreBLEU says; see scripts/fixtures/scores.py. */
const golden = JSON.parse(
  readFileSync(new URL('../fixtures/scores/scores.json', import.meta.url), 'utf8'),
) as Golden;

/** sacreBLEU's names of options, and ours. */
const names: Readonly<Record<string, string>> = {
  smooth_method: 'smoothing',
  smooth_value: 'smoothingValue',
  max_ngram_order: 'maxOrder',
  effective_order: 'effectiveOrder',
  char_order: 'charOrder',
  word_order: 'wordOrder',
};
const ours = (options: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(options).map(([name, value]) => [names[name] ?? name, value]));

/** The version that signatures end in is not theirs. */
const anyVersion = (line: string) => line.replace(/version:[^ |]+/, 'version:*');

describe('scores', () => {
  it.each(golden.bleuOptions.map((options, i) => ({ options, i })))(
    "BLEU is sacreBLEU's with $options",
    ({ options, i }) => {
      for (const { hypotheses, references, bleu: expected } of golden.cases) {
        const found = bleu(hypotheses, references, ours(options) as BleuOptions);
        expect(anyVersion(found.line)).toBe(expected[i]?.line);
        expect(found.score).toBeCloseTo(expected[i]?.score ?? Number.NaN, 10);
      }
    },
  );

  it.each(golden.chrfOptions.map((options, i) => ({ options, i })))(
    "chrF is sacreBLEU's with $options",
    ({ options, i }) => {
      for (const { hypotheses, references, chrf: expected } of golden.cases) {
        const found = chrf(hypotheses, references, ours(options) as ChrfOptions);
        expect(anyVersion(found.line)).toBe(expected[i]?.line);
        expect(found.score).toBeCloseTo(expected[i]?.score ?? Number.NaN, 10);
      }
    },
  );

  it('takes one reference as a string, and different numbers of them', () => {
    expect(bleu(['a b c d'], ['a b c d']).score).toBeCloseTo(100, 10);
    const several = bleu(['a b c d', 'e'], ['a b c d', ['e', 'f']]);
    expect(several.signature).toMatch(/^nrefs:var\|case:mixed\|eff:no\|tok:13a\|smooth:exp\|/);
  });

  it('prints a number between two as Python does', () => {
    expect([6.25, 18.75, 12.5, 0.125].map((n) => fixed(n, 1))).toEqual([
      '6.2',
      '18.8',
      '12.5',
      '0.1',
    ]);
    expect([0.125, 0.375, 2.675, 100].map((n) => fixed(n, 2))).toEqual([
      '0.12',
      '0.38',
      '2.67',
      '100.00',
    ]);
  });

  it.each([
    [() => bleu([], []), 'bleu: hypotheses: expected at least one text'],
    [() => bleu(['a'], []), 'bleu: references: expected an array of 1, as there are hypotheses'],
    [() => bleu(['a'], [[]]), 'bleu: references[0]: expected at least one text'],
    [() => bleu(['a', 1 as never], ['a', 'b']), 'bleu: hypotheses[1]: expected a text, found 1'],
    [() => bleu(['a'], [null as never]), 'bleu: references[0]: expected a text, found null'],
    [() => bleu(['a'], ['a'], { tokenize: 'zh' as never }), 'bleu: tokenize: expected one of'],
    [() => bleu(['a'], ['a'], { smoothingValue: 1 }), 'bleu: smoothingValue: expected none'],
    [() => chrf(['a'], ['a'], { charOrder: 0 }), 'chrf: charOrder'],
    [() => chrf(['a'], ['a'], { beta: Number.NaN }), 'chrf: beta'],
    [() => chrf(['a'], ['a'], { order: 2 } as never), 'chrf: expected only the options'],
  ])('refuses what is no corpus: %#', (call, message) => {
    expect(call).toThrowError(expect.objectContaining({ code: 'ERR_ARGUMENT' }));
    expect(call).toThrowError(message);
  });
});
