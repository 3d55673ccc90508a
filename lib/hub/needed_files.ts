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
  /** Whether there are weights, with all their shards. */
  readonly hasWeights: boolean;
}

const singleName = 'model.safetensors';
const indexName = 'model.safetensors.index.json';

/** @throws ERR_FORMAT, ERR_FILE for a modules.json or an index that cannot be read, or names files outside its folder. */
export async function neededFiles(view: RepositoryView): Promise<NeededFiles> {
  const files = { present: [] as string[], absent: [] as string[], unknown: [] as string[] };
  const weights = { folders: 0, missingShards: 0 };
  const want = (path: string): boolean => {
    const there = view.has(path);
    const list = there ? files.present : there === false ? files.absent : files.unknown;
    list.push(path);
    return there === true;
  };

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
  return { ...files, hasWeights: weights.folders > 0 && weights.missingShards === 0 };
}

const modelFiles = [
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'generation_config.json',
  'chat_template.jinja',
  'chat_template.json',
  'special_tokens_map.json',
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

/** The error for a repository without weights that Heddle opens. */
export function noWeights(id: string, paths: readonly string[], missing: readonly string[]): Error {
  if (missing.length > 0) {
    return new HeddleError(
      'ERR_FORMAT',
      `${id}: ${indexName} names ${missing.slice(0, 3).join(', ')}, which the repository does not have; tell its authors`,
      { where: id, found: missing.join(', ') },
    );
  }
  const found = otherFormats
    .filter(([, pattern]) => paths.some((path) => pattern.test(path)))
    .map(([format]) => format)
    .join(', ');
  return new HeddleError(
    'ERR_UNSUPPORTED',
    `${id}: expected ${singleName} or ${indexName}, found ${found || 'no weights'}; ` +
      (found
        ? "look for the hub's pull request that adds safetensors and name it as the revision (refs/pr/1), or convert in Python: AutoModel.from_pretrained(…).save_pretrained(folder)"
        : 'check that it is the model you mean'),
    { where: id, expected: singleName, found: found || 'no weights' },
  );
}
