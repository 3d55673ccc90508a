/** Post-processors: put the special tokens around one text or a pair, and say which ids are of which type. */
import { HeddleError, mismatch } from '../errors.js';
import {
  describe,
  flag,
  isId,
  isObject,
  type JsonObject,
  objectsOf,
  own,
  typeOf,
} from './tokenizer_json.js';

/** One part of a finished sequence: special tokens, or the ids of a text. */
export type TemplatePart =
  | { readonly kind: 'special'; readonly ids: readonly number[]; readonly type: number }
  | { readonly kind: 'text'; readonly text: 'A' | 'B'; readonly type: number };

export interface PostProcessor {
  readonly single: readonly TemplatePart[];
  readonly pair: readonly TemplatePart[];
  /** Byte-level tokens lose the spaces at their ends from their offsets. */
  readonly trimOffsets: boolean;
  /** With `trimOffsets`: a space that the pre-tokenizer put in front is no space of the text. */
  readonly addPrefixSpace: boolean;
}

const textA: TemplatePart = { kind: 'text', text: 'A', type: 0 };

const plain: PostProcessor = {
  single: [textA],
  pair: [textA, { kind: 'text', text: 'B', type: 1 }],
  trimOffsets: false,
  addPrefixSpace: false,
};

/** @throws ERR_UNSUPPORTED for a type that is not here yet; ERR_FORMAT for a malformed one. */
export function createPostProcessor(config: JsonObject | null, where: string): PostProcessor {
  if (config === null) return plain;
  const type = typeOf(config, where);
  switch (type) {
    case 'Sequence':
      return sequence(config, where);
    case 'TemplateProcessing':
      return template(config, where);
    case 'BertProcessing': {
      const { cls, sep } = classAndSeparator(config, where);
      const second: TemplatePart = { kind: 'text', text: 'B', type: 1 };
      const single = [cls, textA, sep];
      return { ...plain, single, pair: [...single, second, { ...sep, type: 1 }] };
    }
    case 'RobertaProcessing': {
      const { cls, sep } = classAndSeparator(config, where);
      const second: TemplatePart = { kind: 'text', text: 'B', type: 0 };
      const single = [cls, textA, sep];
      return {
        single,
        pair: [...single, sep, second, sep],
        trimOffsets: flag(config, 'trim_offsets', true),
        addPrefixSpace: flag(config, 'add_prefix_space', true),
      };
    }
    case 'ByteLevel':
      return {
        ...plain,
        trimOffsets: flag(config, 'trim_offsets', true),
        addPrefixSpace: flag(config, 'add_prefix_space', true),
      };
    default:
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `${where}: the post-processor '${type}' is not supported ` +
          '(Sequence, TemplateProcessing, BertProcessing, RobertaProcessing and ByteLevel are)',
        { found: type, where },
      );
  }
}

/** Any number of parts that trim offsets, and one that puts special tokens around. @throws ERR_UNSUPPORTED for two such. */
function sequence(config: JsonObject, where: string): PostProcessor {
  let result = plain;
  for (const [i, part] of objectsOf(config, 'processors', where).entries()) {
    const next = createPostProcessor(part, `${where}: processors[${i}]`);
    const trims = next.trimOffsets ? next : result;
    const { trimOffsets, addPrefixSpace } = trims;
    if (next.single === plain.single) {
      result = { ...result, trimOffsets, addPrefixSpace };
    } else if (result.single === plain.single) {
      result = { ...next, trimOffsets, addPrefixSpace };
    } else {
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `${where}: a Sequence with two parts that add special tokens is not supported`,
        { found: `processors[${i}]`, where },
      );
    }
  }
  return result;
}

/** How many special tokens a template adds. */
export function specialCount(parts: readonly TemplatePart[]): number {
  let count = 0;
  for (const part of parts) if (part.kind === 'special') count += part.ids.length;
  return count;
}

type Special = Extract<TemplatePart, { kind: 'special' }>;

function classAndSeparator(config: JsonObject, where: string): { cls: Special; sep: Special } {
  function special(key: string): Special {
    const value = own(config, key);
    const id: unknown = Array.isArray(value) ? value[1] : undefined;
    if (!isId(id)) throw mismatch('ERR_FORMAT', `${where}: ${key}`, '[token, id]', describe(value));
    return { kind: 'special', ids: [id], type: 0 };
  }
  return { cls: special('cls'), sep: special('sep') };
}

function template(config: JsonObject, where: string): PostProcessor {
  const specials = own(config, 'special_tokens') ?? {};
  function parts(key: 'single' | 'pair'): TemplatePart[] {
    const list = own(config, key);
    if (!Array.isArray(list)) {
      throw mismatch('ERR_FORMAT', `${where}: ${key}`, 'a list of template parts', describe(list));
    }
    return list.map((entry: unknown, index) =>
      templatePart(entry, specials, `${where}: ${key}[${index}]`),
    );
  }
  const single = parts('single');
  const pair = parts('pair');
  return { ...plain, single, pair };
}

function templatePart(entry: unknown, specials: unknown, where: string): TemplatePart {
  const body = isObject(entry) ? (own(entry, 'SpecialToken') ?? own(entry, 'Sequence')) : undefined;
  const type = isObject(body) ? own(body, 'type_id') : undefined;
  const id = isObject(body) ? own(body, 'id') : undefined;
  if (!isObject(entry) || typeof id !== 'string' || !isId(type)) {
    throw mismatch(
      'ERR_FORMAT',
      where,
      'a SpecialToken or Sequence with id and type_id',
      describe(entry),
    );
  }
  if (Object.hasOwn(entry, 'Sequence')) {
    if (id !== 'A' && id !== 'B') throw mismatch('ERR_FORMAT', `${where}: id`, 'A or B', id);
    return { kind: 'text', text: id, type };
  }
  const special = isObject(specials) ? own(specials, id) : undefined;
  const ids = isObject(special) ? own(special, 'ids') : undefined;
  if (!Array.isArray(ids) || !ids.every(isId)) {
    throw mismatch('ERR_FORMAT', where, `the ids of '${id}' among special_tokens`, describe(ids));
  }
  return { kind: 'special', ids, type };
}
