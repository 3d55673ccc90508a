import { mismatch } from '../errors.js';
import { checkOptions, describeValue } from '../graph/options.js';
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
 * @param file name of the file: its ending tells Markdown from text. @throws ERR_ARGUMENT for what is no string.
 */
export function passagesOf(text: string, file: string): Passage[] {
  checkText('passagesOf: text', text);
  checkText('passagesOf: file', file);
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

export interface IndexOptions {
  signal?: AbortSignal;
  onProgress?: (progress: { done: number; total: number }) => void;
}

export interface QueryOptions {
  /** Passages returned, at most; default 5. */
  limit?: number;
  signal?: AbortSignal;
}

/** Passages with their vectors: each query costs the embedding of the query alone. */
export class SearchIndex {
  /** @param vectors of length 1, one for each passage. */
  constructor(
    private readonly model: Model,
    readonly passages: readonly Passage[],
    private readonly vectors: readonly Float32Array[],
  ) {}

  /**
   * Ranks the passages by how near their meaning is to the query's: best first.
   * @throws ERR_ARGUMENT; ERR_DISPOSED once the model is disposed.
   */
  async search(query: string, options: QueryOptions = {}): Promise<SearchResult[]> {
    checkText('search: query', query);
    checkOptions('search', options, ['limit', 'signal']);
    const { limit = 5, signal } = options;
    checkLimit(limit);
    const [wanted] = await this.model.embed(query, {
      normalize: true,
      ...(signal ? { signal } : {}),
    });
    return this.passages
      .map((passage, i) => ({
        score: this.vectors[i].reduce((sum, value, k) => sum + value * wanted[k], 0),
        passage,
      }))
      .sort((a, b) => b.score - a.score)
      .slice(0, limit);
  }
}

/**
 * Embeds passages, each with its headings, for any number of queries. The index keeps the model, which stays the caller's to
 * dispose.
 * @throws ERR_ARGUMENT for what is no model or no passage; what `embed` throws.
 */
export async function indexPassages(
  model: Model,
  passages: readonly Passage[],
  options: IndexOptions = {},
): Promise<SearchIndex> {
  checkModel('indexPassages', model);
  checkPassages('indexPassages', passages);
  checkOptions('indexPassages', options, ['signal', 'onProgress']);
  const kept = [...passages];
  const texts = kept.map(({ headings, text }) => [...headings, text].join('\n'));
  const vectors = await model.embed(texts, { normalize: true, ...options });
  return new SearchIndex(model, kept, vectors);
}

/** One query to passages that are embedded for it; for several queries, make an index with `indexPassages`. */
export async function search(
  model: Model,
  query: string,
  passages: readonly Passage[],
  options: IndexOptions & QueryOptions = {},
): Promise<SearchResult[]> {
  checkModel('search', model);
  checkText('search: query', query);
  checkPassages('search', passages);
  checkOptions('search', options, ['limit', 'signal', 'onProgress']);
  const { limit = 5, ...rest } = options;
  checkLimit(limit); // before the long work
  const index = await indexPassages(model, passages, rest);
  return index.search(query, { limit, ...(rest.signal ? { signal: rest.signal } : {}) });
}

function checkText(where: string, value: unknown): void {
  if (typeof value !== 'string')
    throw mismatch('ERR_ARGUMENT', where, 'a string', describeValue(value));
}

function checkLimit(limit: unknown): void {
  if (!(Number.isSafeInteger(limit) && (limit as number) >= 1)) {
    throw mismatch('ERR_ARGUMENT', 'search: limit', 'a whole number from 1', describeValue(limit));
  }
}

function checkModel(where: string, model: Model): void {
  if (typeof model?.embed !== 'function') {
    throw mismatch('ERR_ARGUMENT', `${where}: model`, 'a model from load', describeValue(model));
  }
}

function checkPassages(where: string, passages: unknown): void {
  if (!Array.isArray(passages)) {
    const found = describeValue(passages);
    throw mismatch('ERR_ARGUMENT', `${where}: passages`, 'an array of passages', found);
  }
  // Not forEach, which would pass over holes.
  for (let i = 0; i < passages.length; i++) {
    const passage = passages[i];
    if (typeof passage?.text !== 'string' || !Array.isArray(passage.headings)) {
      const expected = 'a passage with headings and text, as passagesOf makes it';
      throw mismatch('ERR_ARGUMENT', `${where}: passages[${i}]`, expected, describeValue(passage));
    }
  }
}
