import {
  attentionStatistics,
  type EntropyUnit,
  type HeadStatistics,
} from '../analysis/attention_statistics.js';
import { HeddleError } from '../errors.js';
import {
  chosenLayers,
  type InspectedText,
  type InspectedTextOptions,
  inspectedModel,
  type TextOrIds,
} from './inspected_text.js';
import type { Model } from './model.js';

export interface AttentionMapsOptions extends InspectedTextOptions {
  /** Layers to watch, from 0; default: all. Those that are not watched run fused, as ever. */
  layers?: readonly number[];
  /** Of entropies; default `nats`. */
  unit?: EntropyUnit;
}

/** One layer's attention on a text of n tokens. */
export interface LayerAttention {
  readonly layer: number;
  /** By head. */
  readonly heads: readonly HeadStatistics[];
  /** [heads, n, n]: of each head and query, the weights of the keys, 0 where one must not be seen. */
  readonly weights: Float32Array;
}

export interface AttentionMaps extends InspectedText {
  readonly unit: EntropyUnit;
  readonly layers: readonly LayerAttention[];
}

/** Maps of more tokens would be gigabytes, and nobody could read them. */
const mostTokens = 1024;

/**
 * What every head of a model attends to on a text.
 * @throws ERR_UNSUPPORTED for a model without attention, or a text where there is no tokenizer; ERR_INPUT for an empty text and
 * one that the model has no positions for; ERR_ARGUMENT for layers that are not there.
 */
export async function attentionMaps(
  model: Model,
  text: TextOrIds,
  options: AttentionMapsOptions = {},
): Promise<AttentionMaps> {
  const what = 'attentionMaps';
  const watched = { own: ['layers', 'unit'], output: 'attentions' } as const;
  const { count, read } = inspectedModel(what, model, options, watched);
  const { layers, unit = 'nats' } = options;
  if (count === 0) {
    const message = `${what}: expected a model with attention, found ${model.architecture}, which has no such layers`;
    throw new HeddleError('ERR_UNSUPPORTED', message, { found: model.architecture });
  }
  const chosen = chosenLayers(what, layers, count);
  const { tokens, length, forward } = await read(text);
  if (tokens.length > mostTokens) {
    const message = `${what}: expected at most ${mostTokens} tokens, found ${tokens.length}; cut the text with maxTokens (--max-tokens)`;
    throw new HeddleError('ERR_INPUT', message, { found: `${tokens.length}` });
  }
  const maps = await forward(chosen.map((layer) => `attentions.${layer}`));
  return {
    tokens,
    length,
    unit,
    layers: chosen.map((layer) => {
      const map = maps[`attentions.${layer}`];
      return { layer, heads: attentionStatistics(map, { unit }), weights: map.data };
    }),
  };
}
