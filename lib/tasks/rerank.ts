import { HeddleError, mismatch } from '../errors.js';
import { checkOptions, describeValue } from '../graph/options.js';
import { expectHead, Labels } from './labels.js';
import { sigmoid, textLogits } from './logits.js';
import type { EncoderModel } from './model.js';
import { type TruncationOptions, truncationNames } from './text_runs.js';

export interface RerankOptions extends TruncationOptions {
  /** How many documents are given back; default: all. */
  topK?: number;
  /** Tokens kept of a pair; the longer text is cut. */
  maxLength?: number;
  /** What is done to the logit; default: what the checkpoint says, else the sigmoid. */
  activation?: 'sigmoid' | 'none';
  signal?: AbortSignal;
  onProgress?: (progress: { done: number; total: number }) => void;
}

export interface Ranked {
  /** Place of the document in the list given. */
  index: number;
  score: number;
  document: string;
}

const optionNames: readonly (keyof RerankOptions)[] = [
  'topK',
  'maxLength',
  'activation',
  ...truncationNames,
  'signal',
  'onProgress',
];

/**
 * Ranks documents with a cross-encoder, as sentence-transformers' `CrossEncoder.rank`: query and document are read
 * together, and the one logit of a pair is its score.
 * @param named the activation that the folder names outside config.json.
 */
export async function rerank(
  model: EncoderModel,
  query: string,
  documents: readonly string[],
  options: RerankOptions,
  named?: string,
): Promise<Ranked[]> {
  checkOptions('rerank', options, optionNames);
  expectHead(model, 'rerank', 'sequenceClassification');
  const labels = new Labels(model.config).all;
  if (labels.length !== 1) {
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      `rerank: expected a cross-encoder, which has one label; found ${labels.join(', ')}; use text-classification with pairs`,
    );
  }
  if (typeof query !== 'string') {
    throw mismatch('ERR_INPUT', 'rerank: query', 'a string', describeValue(query));
  }
  if (!Array.isArray(documents)) {
    const found = describeValue(documents);
    throw mismatch('ERR_INPUT', 'rerank: documents', 'an array of texts', found);
  }
  const pairs = Array.from(documents, (document: unknown, i) => {
    if (typeof document === 'string') return [query, document] as const;
    throw mismatch('ERR_INPUT', `rerank: documents[${i}]`, 'a string', describeValue(document));
  });
  const { topK, maxLength, ...run } = options;
  for (const [name, value] of Object.entries({ topK, maxLength })) {
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) continue;
    throw mismatch('ERR_ARGUMENT', `rerank: ${name}`, 'a whole number from 1', String(value));
  }
  const activation = options.activation ?? activationOf(model.config, named);
  if (activation !== 'sigmoid' && activation !== 'none') {
    const found = describeValue(activation);
    throw mismatch('ERR_ARGUMENT', 'rerank: activation', 'sigmoid or none', found);
  }
  const scores = new Float64Array(pairs.length);
  const limits = maxLength === undefined ? {} : { maxLength };
  await model.runTexts('rerank', textLogits, pairs, { ...run, ...limits }, ([logit], _, i) => {
    scores[i] = activation === 'sigmoid' ? sigmoid(logit) : logit;
  });
  const ranked = Array.from(scores, (score, index) => ({
    index,
    score,
    document: documents[index],
  }));
  ranked.sort((a, b) => b.score - a.score || a.index - b.index);
  return ranked.slice(0, topK);
}

/** Python classes by which checkpoints name the activation. */
const activations: Readonly<Record<string, 'sigmoid' | 'none'>> = {
  'torch.nn.modules.activation.Sigmoid': 'sigmoid',
  'torch.nn.modules.linear.Identity': 'none',
};

/** What config.json says (`sentence_transformers.activation_fn`, before version 4 a field of its own), else the sigmoid. */
function activationOf(
  config: Readonly<Record<string, unknown>>,
  otherwise: string | undefined,
): 'sigmoid' | 'none' {
  const own = config.sentence_transformers as { activation_fn?: unknown } | undefined;
  const named = own?.activation_fn ?? config.sbert_ce_default_activation_function ?? otherwise;
  if (named === undefined) return 'sigmoid';
  const name = String(named);
  if (Object.hasOwn(activations, name)) return activations[name];
  throw new HeddleError(
    'ERR_UNSUPPORTED',
    `config.json: activation_fn: expected one of ${Object.keys(activations).join(', ')}; found '${name}'; ` +
      'give the option activation',
  );
}
