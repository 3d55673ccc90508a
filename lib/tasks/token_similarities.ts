import {
  similarityNames,
  type TokenSimilarity,
  type TokenSimilarityOptions,
  tokenSimilarity,
} from '../analysis/token_similarity.js';
import { HeddleError } from '../errors.js';
import {
  type InspectedText,
  type InspectedTextOptions,
  inspectedModel,
  type TextOrIds,
} from './inspected_text.js';
import type { Model } from './model.js';

export interface TokenSimilaritiesOptions extends InspectedTextOptions, TokenSimilarityOptions {}

export interface TokenSimilarities extends InspectedText {
  readonly threshold: number;
  /** Of the hidden states: 0 is the embeddings, N the result of layer N. */
  readonly layers: readonly (TokenSimilarity & { readonly layer: number })[];
}

/**
 * How alike the tokens of a text become from layer to layer: see `tokenSimilarity`.
 * @throws ERR_UNSUPPORTED for a model without layers, or a text where there is no tokenizer; ERR_INPUT for an empty text and
 * one that the model has no positions for; ERR_ARGUMENT.
 */
export async function tokenSimilarities(
  model: Model,
  text: TextOrIds,
  options: TokenSimilaritiesOptions = {},
): Promise<TokenSimilarities> {
  const what = 'tokenSimilarities';
  const watched = { own: similarityNames, output: 'hiddenStates' } as const;
  const { count, read } = inspectedModel(what, model, options, watched);
  const { threshold = 0.9, bins } = options;
  if (count < 2) {
    const message = `${what}: expected a model of layers, found ${model.architecture}, which has none`;
    throw new HeddleError('ERR_UNSUPPORTED', message, { found: model.architecture });
  }
  const similarity = { threshold, ...(bins === undefined ? {} : { bins }) };
  const { tokens, length, forward } = await read(text);
  const names = Array.from({ length: count }, (_, layer) => `hiddenStates.${layer}`);
  const states = await forward(names);
  return {
    tokens,
    length,
    threshold,
    layers: names.map((name, layer) => ({ layer, ...tokenSimilarity(states[name], similarity) })),
  };
}
