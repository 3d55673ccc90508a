/** Special and added tokens of a folder without a tokenizer.json, as the reference gathers them from its files. */
import { mismatch } from '../errors.js';
import {
  type Role,
  roles,
  specialFlags,
  type TokenFlags,
  type TokenizerClass,
} from './tokenizer_classes.js';
import { describe, flag, idLimit, isId, isObject, type JsonObject, own } from './tokenizer_json.js';

/** A token and how it is found in a text. */
export interface FlaggedToken extends TokenFlags {
  readonly content: string;
}

/** Files beside the vocabulary; undefined where there is none. */
export interface TokenSources {
  readonly folder: string;
  /** tokenizer_config.json */
  readonly config: JsonObject | undefined;
  /** special_tokens_map.json */
  readonly map: JsonObject | undefined;
  /** added_tokens.json */
  readonly added: JsonObject | undefined;
}

/** A special token; one that was given as a mere string leaves alone what is already known of it. */
interface SpecialToken {
  readonly token: FlaggedToken;
  readonly isString: boolean;
}

/** What a file says of a token. */
interface Given {
  readonly value: unknown;
  readonly where: string;
  /** Whether it is special without saying so. */
  readonly isSpecial: boolean;
}

export interface GatheredTokens {
  readonly ofRole: ReadonlyMap<Role, string>;
  /** What is added to the vocabulary, in this order. */
  readonly additions: (known: (content: string) => boolean) => FlaggedToken[];
}

/** @throws ERR_FORMAT. */
export function gatherTokens(class_: TokenizerClass, sources: TokenSources): GatheredTokens {
  const { folder, config, map, added } = sources;
  const decoder = config && own(config, 'added_tokens_decoder');
  // The older files count only where the newer one does not list its tokens.
  const olderMap = decoder === undefined ? map : undefined;
  const given = (key: string): Given | undefined => {
    for (const source of [olderMap, config]) {
      if (!source || !Object.hasOwn(source, key)) continue;
      const name = source === map ? 'special_tokens_map.json' : 'tokenizer_config.json';
      return { value: source[key], where: `${folder}/${name}: ${key}`, isSpecial: source === map };
    }
    return undefined;
  };
  const listed = decoder === undefined ? [] : decoderTokens(decoder, folder);
  const byContent = new Map(listed.map((token) => [token.content, token]));

  const ofRole = new Map<Role, string>();
  const specials: SpecialToken[] = [];
  /** Those that files name; the class's own are not among them. */
  const named = new Set<string>();
  for (const role of roles) {
    const entry = given(`${role}_token`);
    const value = entry ? entry.value : class_.specialTokens[role];
    if (value === undefined || value === null) continue;
    const written = typeof value === 'string' ? undefined : readToken(entry!, role);
    const content = written?.content ?? (value as string);
    if (content === '') continue;
    if (entry) named.add(content);
    ofRole.set(role, content);
    const flags = (entry && byContent.get(content)) ?? written ?? class_.flags[role];
    specials.push(specialToken(content, flags));
  }
  for (const { content, flags, isNamed } of additionalTokens(class_, [config, olderMap], folder)) {
    if (isNamed) named.add(content);
    specials.push(specialToken(content, flags));
  }

  const specialContents = new Set(specials.map(({ token }) => token.content));
  if (decoder === undefined && added) {
    listed.push(...addedTokens(added, named, `${folder}/added_tokens.json`));
  }
  const first = listed.map((token) =>
    specialContents.has(token.content) ? { ...token, special: true } : token,
  );
  const additions = (known: (content: string) => boolean): FlaggedToken[] => {
    const contents = new Set(listed.map(({ content }) => content));
    const seen = new Set<string>();
    const result = [...first];
    for (const { token, isString } of specials) {
      if (seen.has(token.content)) continue;
      seen.add(token.content);
      if (!isString || !(contents.has(token.content) || known(token.content))) result.push(token);
    }
    return result.filter(({ content }) => content !== '');
  };
  return { ofRole, additions };
}

/** Special tokens without a role, of these files or, where none has any, of the class. */
function additionalTokens(
  class_: TokenizerClass,
  sources: readonly (JsonObject | undefined)[],
  folder: string,
): { content: string; flags: TokenFlags | undefined; isNamed: boolean }[] {
  const key = 'additional_special_tokens';
  const where = `${folder}: ${key}`;
  const lists = sources.map((source) => (source && own(source, key)) ?? undefined);
  if (lists.every((list) => list === undefined)) {
    const usual = class_.additionalSpecialTokens ?? [];
    return usual.map((content) => ({ content, flags: undefined, isNamed: false }));
  }
  return lists
    .flatMap((list) => listOf(list, where))
    .map((value) => {
      if (typeof value === 'string') return { content: value, flags: undefined, isNamed: true };
      const flags = readToken({ value, where, isSpecial: true }, 'special');
      return { content: flags.content, flags, isNamed: true };
    });
}

function specialToken(content: string, flags: TokenFlags | undefined): SpecialToken {
  return {
    token: { ...(flags ?? specialFlags), content, special: true },
    isString: flags === undefined,
  };
}

function readToken({ value, where, isSpecial }: Given, role: string): FlaggedToken {
  const content = isObject(value) ? own(value, 'content') : undefined;
  if (!isObject(value) || typeof content !== 'string') {
    throw mismatch('ERR_FORMAT', where, `the ${role} token with its content`, describe(value));
  }
  const special = isSpecial || flag(value, 'special', false);
  return {
    content,
    single_word: flag(value, 'single_word', false),
    lstrip: flag(value, 'lstrip', false),
    rstrip: flag(value, 'rstrip', false),
    normalized: flag(value, 'normalized', !special),
    special,
  };
}

/** The tokens of tokenizer_config.json's added_tokens_decoder, in the order of their ids. */
function decoderTokens(decoder: unknown, folder: string): FlaggedToken[] {
  const where = `${folder}/tokenizer_config.json: added_tokens_decoder`;
  if (!isObject(decoder)) throw mismatch('ERR_FORMAT', where, 'an object', describe(decoder));
  return Object.entries(decoder)
    .map(([key, value]): [number, FlaggedToken] => {
      const id = /^\d+$/.test(key) ? Number(key) : undefined;
      if (!isId(id)) throw mismatch('ERR_FORMAT', where, `ids below ${idLimit}`, `'${key}'`);
      return [id, readToken({ value, where: `${where}[${key}]`, isSpecial: false }, 'added')];
    })
    .sort(([a], [b]) => a - b)
    .map(([, token]) => token);
}

/** The tokens of added_tokens.json, in the order of their ids. */
function addedTokens(
  added: JsonObject,
  special: ReadonlySet<unknown>,
  where: string,
): FlaggedToken[] {
  return Object.entries(added)
    .map(([content, id]): [number, FlaggedToken] => {
      if (!isId(id)) {
        const expected = `an id below ${idLimit}`;
        throw mismatch('ERR_FORMAT', `${where}: '${content}'`, expected, describe(id));
      }
      const isSpecial = special.has(content);
      const flags = { ...specialFlags, special: isSpecial, normalized: !isSpecial };
      return [id, { ...flags, content }];
    })
    .sort(([a], [b]) => a - b)
    .map(([, token]) => token);
}

function listOf(value: unknown, where: string): unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw mismatch('ERR_FORMAT', where, 'a list', describe(value));
}

/** Added tokens by id, as the reference numbers them: what the model's vocabulary lacks gets the next free id. */
export class AddedTokenList {
  private readonly tokens = new Map<number, FlaggedToken>();
  private readonly ids = new Map<string, number>();
  private largest = -1;

  /** @param size the number of tokens in the vocabulary. */
  constructor(
    private readonly modelIdOf: (content: string) => number | undefined,
    private readonly size: number,
  ) {}

  add(token: FlaggedToken): void {
    const id = this.idOf(token.content) ?? Math.max(this.size, this.largest + 1);
    this.tokens.set(id, token);
    this.ids.set(token.content, id);
    this.largest = Math.max(this.largest, id);
  }

  has(content: string): boolean {
    return this.ids.has(content);
  }

  idOf(content: string): number | undefined {
    return this.ids.get(content) ?? this.modelIdOf(content);
  }

  toJson(): JsonObject[] {
    return [...this.tokens]
      .sort(([a], [b]) => a - b)
      .map(([id, { content, single_word, lstrip, rstrip, normalized, special }]) => {
        return { id, content, single_word, lstrip, rstrip, normalized, special };
      });
  }
}
