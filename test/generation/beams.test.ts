import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generateBeams } from '../../lib/generation/generate_beams.js';
import { settingsOf } from './golden_arguments.js';
import { TableEngine } from './table_engine.js';

interface BeamCase {
  tables: number;
  prompt: number[];
  arguments: Record<string, unknown>;
  sequences: number[][];
  scores: number[];
}

const file = new URL('../fixtures/generation/beams.json', import.meta.url);
const { tables, cases } = JSON.parse(readFileSync(file, 'utf8')) as {
  tables: { last: number[][]; second: number[][] }[];
  cases: BeamCase[];
};

describe("beam search gives Hugging Face's sequences and scores", () => {
  const named = cases.map((each) => [JSON.stringify(each.arguments), each] as const);
  it.each(named)('%s', async (_, golden) => {
    const engine = new TableEngine(tables[golden.tables]!);
    const settings = settingsOf(golden.arguments, golden.prompt.length);
    const found = await generateBeams(engine, golden.prompt, settings);
    expect(found.map(({ ids }) => ids)).toEqual(golden.sequences);
    found.forEach(({ score }, i) => {
      const expected = golden.scores[i]!;
      expect(Math.abs(score! - expected)).toBeLessThan(1e-4 * Math.max(1, Math.abs(expected)));
    });
    expect(engine.open).toBe(0);
  });
});
