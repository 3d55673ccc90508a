/** Which files of a repository Heddle reads. The others — other formats of the weights, above all — are never fetched. */
import { readShardIndex } from '../checkpoints/checkpoint.js';
import { limitFiles, readModules } from '../checkpoints/sentence_transformers.js';
import { HeddleError } from '../errors.js';

/** A repository's files, on the hub or in the cache. */
export interface RepositoryView {
  /** Whether a file is there; undefined where that is not known. */
  has(path: string): boolean | undefined;
  /** Files that are known to be there whose path begins so. */
  under(folder: string): Iterable<string>;
  /** Where a file that is there can be read on this machine. */
  open(path: string): Promise<string>;
}

export interface NeededFiles {
  /** Those that are there. */
  readonly present: string[];
  /** Those that would be read if they were there. */
  readonly absent: string[];
  /** Those of which nobody knows whether they are there. */
  readonly unknown: string[];
  /** Whether there is what the part is of no use without; of the model: weights, with all their shards. */
  readonly isUsable: boolean;
}

/** What is wanted of a repository: all, or what is opened without the weights. */
export type ModelPart = 'model' | 'tokenizer' | 'config';

const singleName = 'model.safetensors';
const indexName = 'model.safetensors.index.json';

/** @throws ERR_FORMAT, ERR_FILE for a modules.json or an index that cannot be read, or names files outside its folder. */
export async function neededFiles(
  view: RepositoryView,
  part: ModelPart = 'model',
): Promise<NeededFiles> {
  const files = { present: [] as string[], absent: [] as string[], unknown: [] as string[] };
  const weights = { folders: 0, missingShards: 0 };
  const want = (path: string): boolean => {
    const there = view.has(path);
    const list = there ? files.present : there === false ? files.absent : files.unknown;
    list.push(path);
    return there === true;
  };

  if (part !== 'model') {
    for (const name of part === 'config' ? ['config.json'] : tokenizerFiles) want(name);
    return { ...files, isUsable: view.has(`${part}.json`) === true };
  }

  const addWeights = async (folder: string): Promise<void> => {
    // In the order in which they are opened: the index counts where there is no single file.
    if (view.has(folder + singleName)) {
      want(folder + singleName);
    } else if (view.has(folder + indexName)) {
      want(folder + indexName);
      const shards = new Set((await readShardIndex(await view.open(folder + indexName))).values());
      for (const shard of shards) if (!want(folder + shard)) weights.missingShards++;
    } else {
      return;
    }
    weights.folders++;
  };

  const addModel = async (folder: string): Promise<void> => {
    for (const name of modelFiles) want(folder + name);
    for (const path of view.under(`${folder}additional_chat_templates/`)) {
      if (/\/[\w-]+\.jinja$/.test(path)) want(path);
    }
    if (view.has(`${folder}tokenizer.json`) === false) {
      for (const name of vocabularyFiles) want(folder + name);
    }
    for (const name of limitFiles) {
      if (want(`${folder}sentence_${name}_config.json`)) break; // the first one counts
    }
    await addWeights(folder);
  };

  if (want('modules.json')) {
    want('config_sentence_transformers.json');
    for (const { type, path } of await readModules(await view.open('modules.json'))) {
      const folder = path === '' || path === '.' ? '' : `${path}/`;
      if (type === 'Pooling') want(`${folder}config.json`);
      else if (type !== 'Normalize') await addModel(folder);
    }
  } else {
    await addModel('');
  }
  return { ...files, isUsable: weights.folders > 0 && weights.missingShards === 0 };
}

const tokenizerFiles = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'chat_template.json',
];
const modelFiles = ['config.json', 'generation_config.json', ...tokenizerFiles];

/** What a tokenizer is made from where there is no tokenizer.json; see lib/text/vocabulary_files.ts. */
const vocabularyFiles = [
  'vocab.txt',
  'vocab.json',
  'merges.txt',
  'sentencepiece.bpe.model',
  'spiece.model',
  'spm.model',
  'added_tokens.json',
];

/** What other software keeps weights in. */
const otherFormats: readonly [format: string, pattern: RegExp][] = [
  ['PyTorch (.bin)', /\.(bin|pt|pth|ckpt)$/],
  ['ONNX', /\.onnx$/],
  ['TensorFlow (.h5)', /\.h5$/],
  ['Flax (.msgpack)', /\.msgpack$/],
  ['GGUF', /\.gguf$/],
  ['safetensors under other names', /\.safetensors$/],
];

/** The error for a repository without a file that a part is of no use without. */
export function noFile(id: string, part: ModelPart): Error {
  const file = `${part}.json`;
  const message = `${id}: expected ${file}, which the repository does not have; name another one, such as the model that it was made from`;
  return new HeddleError('ERR_NOT_FOUND', message, { where: id, expected: file, found: 'none' });
}

/** The error for a repository without weights that Heddle opens. */
export function noWeights(id: string, paths: readonly string[], missing: readonly string[]): Error {
  if (missing.length > 0) {
    return new HeddleError(
      'ERR_FORMAT',
      `${id}: ${indexName} names ${missing.slice(0, 3).join(', ')}, which the repository does not have; tell its authors`,
      { where: id, found: missing.join(', ') },
    );
  }
  const formats = otherFormats
    .filter(([, pattern]) => paths.some((path) => pattern.test(path)))
    .map(([format]) => format);
  const found = formats.join(', ');
  const advice =
    found === 'ONNX'
      ? "name the model that it was converted from, which its page on the hub gives as 'base model' (Xenova/all-MiniLM-L6-v2 is sentence-transformers/all-MiniLM-L6-v2)"
      : "look for the hub's pull request that adds safetensors and name it as the revision (refs/pr/1), or convert in Python: AutoModel.from_pretrained(…).save_pretrained(folder)";
  return new HeddleError(
    'ERR_UNSUPPORTED',
    `${id}: expected ${singleName} or ${indexName}, found ${found || 'no weights'}; ` +
      (found ? advice : 'check that it is the model you mean'),
    { where: id, expected: singleName, found: found || 'no weights' },
  );
}
