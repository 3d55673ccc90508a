import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Candidates } from '../../lib/generation/candidates.js';
import { createProcessors } from '../../lib/generation/logits_processors.js';
import { ScoreRow } from '../../lib/generation/score_row.js';
import { settingsOf } from './golden_arguments.js';

interface ScoreCase {
  arguments: Record<string, unknown>;
  promptLength: number;
  maxLength: number;
  ids: number[];
  scores: number[];
  processed: (number | null)[];
}

const file = new URL('../fixtures/generation/scores.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: ScoreCase[] };

describe("scores after processors and filters are those of Hugging Face's", () => {
  it.each(cases.map((each) => [JSON.stringify(each.arguments), each] as const))(
    '%s',
    (_, golden) => {
      const { ids, promptLength } = golden;
      const settings = settingsOf(golden.arguments, promptLength, golden.maxLength);
      const scores = new ScoreRow(Float32Array.from(golden.scores), golden.scores.length);
      for (const process of createProcessors(settings)) process(scores, { ids, promptLength });
      const row = scores.whole();
      if (settings.doSample) {
        const candidates = new Candidates();
        const kept = settings.numBeams > 1 ? settings.eosTokenIds.length || 1 : 0;
        candidates.select(scores, settings, kept + 1);
        row.fill(-Infinity);
        for (let i = 0; i < candidates.count; i++) row[candidates.ids[i]!] = candidates.scores[i]!;
      }
      const found = Array.from(row, (value) => (value === -Infinity ? null : value));
      expect(found.map((value) => value === null)).toEqual(golden.processed.map((v) => v === null));
      golden.processed.forEach((value, id) => {
        if (value !== null) expect(found[id]).toBeCloseTo(value, 4);
      });
    },
  );
});
