/** Folders with a tiny model in them, for tests to load, change and break. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';

const fixtures = new URL('../fixtures/', import.meta.url).pathname;

export const fixture = (path: string): string => join(fixtures, path);

/** A BERT of two layers, 32 wide, with 4 heads, 256 words and 48 positions, in float32. */
export const tinyBert = join(fixtures, 'models', 'bert', 'a');
/** Another one, a classifier of three labels in bfloat16, in three shards. */
export const shardedBert = join(fixtures, 'models', 'bert', 'b');

const made: string[] = [];
afterAll(() => Promise.all(made.map((folder) => rm(folder, { recursive: true, force: true }))));

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'heddle-test-'));
  made.push(folder);
  return folder;
}

export interface Edits {
  /** The folder to copy. */
  from?: string;
  /** Fields of config.json to set; undefined takes one away. */
  config?: Record<string, unknown>;
  /** Files to write, by path; objects as JSON; null takes one away. */
  files?: Record<string, object | string | Uint8Array | null>;
  /** Whether it gets a tokenizer; default true. */
  tokenizer?: boolean;
}

/** A copy of a tiny model with changes. */
export async function tinyFolder(edits: Edits = {}): Promise<string> {
  const { from = tinyBert, config = {}, files = {}, tokenizer = true } = edits;
  const folder = await temporaryFolder();
  await cp(from, folder, { recursive: true });
  const fields = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
  const all: Edits['files'] = { 'config.json': { ...fields, ...config } };
  if (tokenizer) all['tokenizer.json'] = await letterTokenizer();
  for (const [path, content] of Object.entries({ ...all, ...files })) {
    const file = join(folder, path);
    if (content === null) {
      await rm(file);
      continue;
    }
    await mkdir(dirname(file), { recursive: true });
    const isJson = typeof content !== 'string' && !(content instanceof Uint8Array);
    await writeFile(file, isJson ? JSON.stringify(content) : content);
  }
  return folder;
}

/** The files that make a folder one of sentence-transformers. */
export function sentenceTransformers(
  pooling: object,
  { normalize = true, limits = {}, prompts = {} as object } = {},
): NonNullable<Edits['files']> {
  const types = ['Transformer', 'Pooling', ...(normalize ? ['Normalize'] : [])];
  return {
    'modules.json': types.map((type, idx) => ({
      idx,
      name: `${idx}`,
      path: idx === 0 ? '' : `${idx}_${type}`,
      type: `sentence_transformers.models.${type}`,
    })),
    '1_Pooling/config.json': { word_embedding_dimension: 32, ...pooling },
    'sentence_bert_config.json': limits,
    'config_sentence_transformers.json': prompts,
  };
}

/** A WordPiece tokenizer whose tokens are single letters, digits and marks: as many tokens as characters. */
export async function letterTokenizer({ lowercase = true } = {}): Promise<object> {
  const file = join(fixtures, 'tokenizers', 'bert_uncased', 'tokenizer.json');
  const json = JSON.parse(await readFile(file, 'utf8'));
  json.normalizer.lowercase = lowercase;
  const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
  const tokens = [...special, ...letters, ...letters.map((letter) => `##${letter}`), ...'.,:!?-'];
  json.model.vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  return json;
}

/** Cosine of the angle between two vectors. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    dot += a[i] * b[i];
    aa += a[i] ** 2;
    bb += b[i] ** 2;
  }
  return dot / Math.sqrt(aa * bb);
}
