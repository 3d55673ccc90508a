import { checkUnchanged, openCheckpoint } from '../checkpoints/checkpoint.js';
import type { JsonFields } from '../checkpoints/json_file.js';
import type { SentenceTransformersDescription } from '../checkpoints/sentence_transformers.js';
import { openStaticTable } from '../checkpoints/static_table.js';
import { HeddleError } from '../errors.js';
import { defaultBackend } from '../graph/default_backend.js';
import { Parameters } from '../graph/parameters.js';
import { Scope } from '../layers/scope.js';
import { StaticEmbedding } from '../models/static_embedding.js';
import type { AsyncTokenizer } from '../text/async_tokenizer.js';
import { type LoadOptions, reporting } from './load_options.js';
import { EncoderModel } from './model.js';
import { checkTokenizer } from './model_tokenizer.js';

/** Tokens that model2vec keeps of a text where its config.json does not say it; null there is no limit. */
const model2vecLength = 512;

/** `load` for a static embedding model, which has no config.json of an architecture. */
export async function loadStatic(
  description: SentenceTransformersDescription,
  config: JsonFields,
  tokenizer: AsyncTokenizer | undefined,
  { dtype, signal, onProgress, maxWaitMs }: LoadOptions,
): Promise<EncoderModel> {
  const folder = description.transformerFolder;
  if (tokenizer === undefined) {
    throw new HeddleError(
      'ERR_NOT_FOUND',
      `${folder}: expected a tokenizer beside the static embeddings (tokenizer.json, or the vocabulary files it is made from), found none`,
      { where: folder },
    );
  }
  const checkpoint = await openCheckpoint(folder);
  const { source, shape, name, isModel2Vec } = await openStaticTable(checkpoint, folder, dtype);
  const parameters = new Parameters(source);
  const [entries, columns] = shape;
  const encoder = new StaticEmbedding(entries, columns, new Scope(parameters).at(name));
  checkTokenizer(tokenizer, entries);
  const backend = defaultBackend();
  const { max_length: stated = model2vecLength } = config;
  const own = Number.isSafeInteger(stated) && Number(stated) > 0 ? Number(stated) : Infinity;
  try {
    await parameters.load(backend, { signal, onProgress: reporting('load', onProgress) });
    await checkUnchanged(checkpoint);
    return new EncoderModel({
      architecture: 'StaticEmbedding',
      config,
      encoder,
      parameters,
      tokenizer,
      embedding: {
        pooling: ['mean'],
        normalize: description.normalize || (isModel2Vec && config.normalize === true),
        maxLength: description.maxLength ?? (isModel2Vec ? own : Infinity),
        prompts: description.prompts,
        defaultPrompt: description.defaultPrompt,
        includePrompt: true,
        lowerCase: false,
        addSpecialTokens: false,
        // The vocabulary's own, as model2vec has it: files may call another token unknown.
        dropId: isModel2Vec ? tokenizer.tokenizer.unknownId : undefined,
      },
      backend,
      maxWaitMs,
      activation: undefined,
      unusedTensors: [],
    });
  } catch (error) {
    parameters.dispose();
    throw error;
  }
}
