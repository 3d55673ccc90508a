/** What scores are computed from: translations, each beside one reference or several. */
import { mismatch } from '../errors.js';
import { describeValue } from '../graph/options.js';

/** Of each translation: a reference, or several. */
export type References = readonly (string | readonly string[])[];

export interface Segment {
  hypothesis: string;
  references: readonly string[];
}

/**
 * Pairs translations with their references. @throws ERR_ARGUMENT, naming the index from 0, where there are not as many of
 * one as of the other, none at all, or something else than text.
 */
export function segmentsOf(
  where: string,
  hypotheses: readonly string[],
  references: References,
  { lowercase }: { lowercase: boolean },
): Segment[] {
  if (!Array.isArray(hypotheses) || hypotheses.length === 0) {
    const expected = 'at least one text';
    throw mismatch('ERR_ARGUMENT', `${where}: hypotheses`, expected, describeValue(hypotheses));
  }
  if (!Array.isArray(references) || references.length !== hypotheses.length) {
    const expected = `an array of ${hypotheses.length}, as there are hypotheses`;
    throw mismatch('ERR_ARGUMENT', `${where}: references`, expected, describeValue(references));
  }
  const checked = (text: unknown, name: string): string => {
    if (typeof text !== 'string') {
      throw mismatch('ERR_ARGUMENT', `${where}: ${name}`, 'a text', describeValue(text));
    }
    return lowercase ? text.toLowerCase() : text;
  };
  return hypotheses.map((hypothesis, i) => {
    const given = references[i];
    const several: readonly unknown[] = Array.isArray(given) ? given : [given];
    if (several.length === 0) {
      throw mismatch('ERR_ARGUMENT', `${where}: references[${i}]`, 'at least one text', 'none');
    }
    return {
      hypothesis: checked(hypothesis, `hypotheses[${i}]`),
      references: several.map((text) => checked(text, `references[${i}]`)),
    };
  });
}

/** How many references each translation has, as signatures say it. */
export function referenceCount(segments: readonly Segment[]): string {
  const counts = new Set(segments.map(({ references }) => references.length));
  return counts.size === 1 ? String([...counts][0]) : 'var';
}
