/** What the views of `heddle inspect` share. */
import type { InspectedText, InspectedTextOptions } from '../tasks/inspected_text.js';
import { writeNamedFile } from './named_file.js';
import { count, note } from './output.js';

export function readingOptions(
  options: Record<string, unknown>,
  signal: AbortSignal,
): InspectedTextOptions {
  const maxTokens = count('max-tokens', options.maxTokens);
  return { signal, ...(maxTokens === undefined ? {} : { maxTokens }) };
}

/** Says on stderr that a text was cut. */
export function noteRead({ tokens, length }: InspectedText): void {
  if (tokens.length < length) {
    note(
      `the first ${tokens.length} of the text's ${length} tokens were read; --max-tokens says how many`,
    );
  }
}

/** Writes a page; folders on the way to it are made. */
export async function writePage(file: string, html: string): Promise<void> {
  await writeNamedFile('html', file, html);
  note(`${file} is written: open it in a browser`);
}

const blocks = [...' ░▒▓█'];

/** A character that is darker for more. @param share 0 … 1. */
export const shade = (share: number): string =>
  blocks[Math.min(blocks.length - 1, Math.max(0, Math.round(share * (blocks.length - 1))))] ?? ' ';

/** A token in a cell: one line, no wider than `width`. */
export function cellOf(text: string, width = 12): string {
  const shown =
    text
      .replace(/\s+/g, (space) => (space.includes('\n') ? '↵' : ' '))
      .replace(/[\p{Cc}\p{Cf}]/gu, '·') // vocabularies hold characters that a terminal would obey
      .trim() || '␣';
  const characters = [...shown];
  return characters.length > width ? `${characters.slice(0, width - 1).join('')}…` : shown;
}
