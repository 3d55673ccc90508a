import { dirname, join } from 'node:path';
import { checkUnchanged, openCheckpoint } from '../checkpoints/checkpoint.js';
import { type Config, readConfig } from '../checkpoints/config.js';
import { readJsonObjectIfThere } from '../checkpoints/json_file.js';
import { CheckpointSource } from '../checkpoints/parameter_source.js';
import { readSentenceTransformers } from '../checkpoints/sentence_transformers.js';
import { hasStaticTable } from '../checkpoints/static_table.js';
import { HeddleError, mismatch } from '../errors.js';
import { defaultBackend } from '../graph/default_backend.js';
import { checkOptions, describeValue } from '../graph/options.js';
import { Parameters } from '../graph/parameters.js';
import { Scope } from '../layers/scope.js';
import { Decoder } from '../models/decoder.js';
import { architectureOf } from '../models/registry.js';
import { ChatTemplates } from '../text/chat_templates.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { AdaptedSource, adaptedConfig, openAdapter, withReplaced } from './adapter.js';
import { DecoderModel } from './decoder_model.js';
import type { EmbeddingDefaults } from './embed.js';
import { type LoadOptions, reporting, weightDTypes } from './load_options.js';
import { loadStatic } from './load_static.js';
import { EncoderModel, type Model } from './model.js';
import { checkTokenizer, openTokenizer } from './model_tokenizer.js';
import { poolingsByMode } from './sentence_folder.js';
import { resolveSource, type SourceOptions } from './source.js';

/**
 * Opens a model as it is: a folder with config.json and safetensors, or a hub id (`org/name`), whose files are downloaded
 * where the Hugging Face cache lacks them; docs/hub.md says when the hub is asked. The tokenizer and how sentence vectors
 * are made are read from the files beside the weights.
 * @throws ERR_ARGUMENT; ERR_NETWORK, ERR_AUTH, ERR_FILE; ERR_NOT_FOUND, ERR_FORMAT, ERR_CONFIG, ERR_UNSUPPORTED, ERR_SHAPE, naming the file and what was expected.
 */
export async function load(source: string, options: LoadOptions = {}): Promise<Model> {
  checkOptions('load', options, [
    'dtype',
    'revision',
    'cacheDir',
    'localFilesOnly',
    'maxWaitMs',
    'cache',
    'adapter',
    'signal',
    'onProgress',
  ]);
  return loadEncoder(source, options);
}

/** `load` with what only tasks need. */
export async function loadEncoder(
  source: string,
  options: LoadOptions & Pick<SourceOptions, 'endpoint'>,
): Promise<EncoderModel> {
  const { dtype, revision, cacheDir, localFilesOnly, maxWaitMs, signal, onProgress } = options;
  if (dtype !== undefined && !weightDTypes.includes(dtype)) {
    throw mismatch('ERR_UNSUPPORTED', 'dtype', weightDTypes.join(', '), `'${dtype}'`);
  }
  signal?.throwIfAborted();
  const onDownload = reporting('download', onProgress);
  const sourceFolder = await resolveSource(source, {
    revision,
    cacheDir,
    localFilesOnly,
    endpoint: options.endpoint,
    signal,
    onDownload,
  });
  const description = await readSentenceTransformers(sourceFolder);
  const folder = description.transformerFolder;
  if (description.isStatic) {
    refuseAdapter(options);
    return loadStatic(description, {}, await openTokenizer(folder), options);
  }
  const adapterFolders = [options.adapter ?? []].flat();
  const config = await adaptedConfig(await readConfig(folder), adapterFolders);
  const checkpoint = await openCheckpoint(folder);
  if (!config.architectures.length || config.modelType === 'model2vec') {
    if (hasStaticTable(checkpoint)) {
      refuseAdapter(options);
      return loadStatic(description, config.fields, await openTokenizer(folder), options);
    }
  }
  const { name, architecture } = naming(config.file, () =>
    architectureOf(config.architectures, config.modelType),
  );
  const { prefix } = architecture;
  const adapters = await Promise.all(adapterFolders.map((adapter) => openAdapter(adapter, prefix)));
  const weights = new CheckpointSource(withReplaced(checkpoint.tensors, adapters, prefix), {
    prefix,
    dtype,
    where: folder,
  });
  const parameters = new Parameters(new AdaptedSource(weights, adapters));
  const compute = dtype === 'bfloat16' ? 'bfloat16' : 'float32';
  const scope = new Scope(parameters, '', compute, adapters);
  const encoder = naming(config.file, () => architecture.build(config, scope));
  weights.checkComplete();
  for (const adapter of adapters) adapter.checkComplete(weights.unused);
  const backend = defaultBackend();
  const stop = new AbortController();
  // The engine reads the weights meanwhile.
  const weightsRead = parameters.load(backend, {
    signal: signal ? AbortSignal.any([signal, stop.signal]) : stop.signal,
    onProgress: reporting('load', onProgress),
  });
  weightsRead.catch(() => undefined); // awaited below, maybe after it has failed
  let model: EncoderModel | undefined;
  try {
    const tokenizer = await openTokenizer(folder);
    checkTokenizer(tokenizer, encoder.limits.vocabSize);
    const longest = encoder.maxLength;
    const ownLimit = tokenizer?.tokenizer.settings.modelMaxLength;
    const embedding: EmbeddingDefaults = {
      pooling: description.pooling.map((mode) => poolingsByMode[mode]),
      normalize: description.normalize,
      maxLength: Math.min(description.maxLength ?? ownLimit ?? longest, longest),
      prompts: description.prompts,
      defaultPrompt: description.defaultPrompt,
      includePrompt: description.includePrompt,
      lowerCase: description.lowerCase,
    };
    const parts = {
      architecture: name,
      config: config.fields,
      encoder,
      parameters,
      tokenizer,
      embedding,
      backend,
      maxWaitMs,
      activation: description.activation,
      unusedTensors: weights.unused,
    };
    model =
      encoder instanceof Decoder
        ? new DecoderModel({
            ...parts,
            encoder,
            cache: options.cache,
            generation: await readGeneration(folder, config),
            chatTemplates: tokenizer && (await readTemplates(folder, tokenizer.tokenizer)),
          })
        : new EncoderModel(parts);
    await weightsRead;
    await checkUnchanged(checkpoint);
    return model;
  } catch (error) {
    stop.abort(error);
    await weightsRead.catch(() => undefined);
    model?.dispose(); // a decoder has a cache of its own
    parameters.dispose();
    throw error;
  }
}

function refuseAdapter({ adapter }: LoadOptions): void {
  if (adapter === undefined) return;
  const expected = 'none for a table of token vectors, which has no projections';
  throw mismatch('ERR_UNSUPPORTED', 'adapter', expected, describeValue(adapter));
}

/** What generation_config.json says, or where there is none config.json, which also has the end of texts where that has not. */
async function readGeneration(
  folder: string,
  config: Config,
): Promise<{ fields: Readonly<Record<string, unknown>>; file: string }> {
  const file = join(folder, 'generation_config.json');
  const fields = await readJsonObjectIfThere(file);
  if (fields === undefined) return { fields: config.fields, file: config.file };
  return { fields: { eos_token_id: config.fields.eos_token_id, ...fields }, file };
}

/** Templates know special tokens by the names of tokenizer_config.json. */
async function readTemplates(folder: string, tokenizer: Tokenizer): Promise<ChatTemplates> {
  const { specialTokens } = tokenizer.settings;
  const variables = Array.from(specialTokens, ([role, token]) => [`${role}_token`, token]);
  return ChatTemplates.load(folder, Object.fromEntries(variables));
}

/** Lets errors about what a config says, which models throw without knowing the file, name it. */
function naming<T>(file: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof HeddleError) || error.message.includes(dirname(file))) throw error;
    const { code, expected, found } = error;
    const message = `${file}: ${error.message.replace(/^config\.json: /, '')}`;
    throw new HeddleError(code, message, {
      where: file,
      cause: error,
      ...(expected === undefined ? {} : { expected }),
      ...(found === undefined ? {} : { found }),
    });
  }
}
