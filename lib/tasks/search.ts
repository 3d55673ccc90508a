import type { Model } from './model.js';

/** A piece of a text, small enough that one vector stands for its meaning. */
export interface Passage {
  file: string;
  /** First line, counted from 1. */
  line: number;
  /** The Markdown headings above it, outermost first. */
  headings: string[];
  text: string;
}

export interface SearchResult {
  /** Cosine of the angle between query and passage, −1 … 1. */
  score: number;
  passage: Passage;
}

/** Paragraphs shorter than this are joined with the next one under the same heading, in characters. */
const shortest = 200;
/** Longer paragraphs are cut at the end of a sentence or line; about 200 tokens. */
const longest = 800;

/**
 * Cuts a text or Markdown file into passages: paragraphs, lists and code blocks under their headings, joined where
 * short and cut where long.
 */
export function passagesOf(text: string, file: string): Passage[] {
  const isMarkdown = /\.(md|markdown|mdx)$/i.test(file);
  const passages: Passage[] = [];
  const headings: string[] = [];
  let lines: string[] = [];
  let first = 1;
  let fenced = false;
  const flush = (): void => {
    const body = lines.join('\n').trim();
    const lead = lines.findIndex((line) => line.trim() !== '');
    let line = first + Math.max(lead, 0);
    for (const piece of cut(body)) {
      passages.push({
        file,
        line,
        headings: headings.filter((heading) => heading !== ''),
        text: piece.text,
      });
      line += piece.lines;
    }
    lines = [];
  };
  const isLongEnough = (): boolean =>
    lines.reduce((sum, line) => sum + line.length + 1, 0) >= shortest;
  text.split(/\r?\n/).forEach((line, i) => {
    if (isMarkdown && /^\s*(```|~~~)/.test(line)) fenced = !fenced;
    const heading = isMarkdown && !fenced ? /^(#{1,6})\s+(.*?)\s*#*$/.exec(line) : null;
    if (heading) {
      flush();
      headings.length = Math.min(headings.length, heading[1].length - 1);
      while (headings.length < heading[1].length - 1) headings.push('');
      headings.push(heading[2]);
      first = i + 2;
      return;
    }
    if (line.trim() === '' && !fenced && isLongEnough()) {
      flush();
      first = i + 2;
      return;
    }
    if (lines.length === 0) first = i + 1;
    lines.push(line);
  });
  flush();
  return passages;
}

/** Pieces of at most `longest` characters, with the line breaks that each takes up. */
function cut(body: string): { text: string; lines: number }[] {
  const pieces: { text: string; lines: number }[] = [];
  let rest = body;
  while (rest !== '') {
    let end = rest.length;
    if (end > longest) {
      const window = rest.slice(0, longest);
      const sentence = Math.max(
        ...['. ', '! ', '? ', '.\n', '\n'].map((mark) => window.lastIndexOf(mark) + 1),
      );
      const word = window.lastIndexOf(' ') + 1;
      end = sentence > shortest ? sentence : word > shortest ? word : longest;
      if (/[\ud800-\udbff]/.test(rest[end - 1])) end--; // not between the halves of a character
    }
    const taken = rest.slice(0, end);
    const remaining = rest.slice(end);
    rest = remaining.trimStart();
    const skipped = remaining.slice(0, remaining.length - rest.length);
    pieces.push({ text: taken.trim(), lines: (taken + skipped).split('\n').length - 1 });
  }
  return pieces;
}

/** Ranks passages by how near their meaning is to the query's: best first. */
export async function search(
  model: Model,
  query: string,
  passages: readonly Passage[],
  options: {
    limit?: number;
    signal?: AbortSignal;
    onProgress?: (progress: { done: number; total: number }) => void;
  } = {},
): Promise<SearchResult[]> {
  const { limit = 5, ...rest } = options;
  const texts = passages.map(({ headings, text }) => [...headings, text].join('\n'));
  const [[wanted], vectors] = await Promise.all([
    model.embed(query, { normalize: true, ...(rest.signal ? { signal: rest.signal } : {}) }),
    model.embed(texts, { normalize: true, ...rest }),
  ]);
  return passages
    .map((passage, i) => ({
      score: vectors[i].reduce((sum, value, k) => sum + value * wanted[k], 0),
      passage,
    }))
    .sort((a, b) => b.score - a.score)
    .slice(0, limit);
}
