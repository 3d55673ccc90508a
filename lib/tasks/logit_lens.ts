import { predictions } from '../analysis/predictions.js';
import { HeddleError } from '../errors.js';
import { checkSizes } from '../graph/options.js';
import type { NdArray } from '../graph/run.js';
import { input } from '../graph/tensor.js';
import { Decoder } from '../models/decoder.js';
import {
  type InspectedText,
  type InspectedTextOptions,
  inspectedModel,
  type TextOrIds,
  wordOf,
} from './inspected_text.js';
import type { Model } from './model.js';
import type { TextGraph } from './request_batches.js';

export interface LogitLensOptions extends InspectedTextOptions {
  /** Tokens that are given for each layer and position, best first; default 5. */
  topK?: number;
}

/** What a layer would predict of the token after a position. */
export interface LensPrediction {
  readonly top: readonly {
    readonly id: number;
    readonly text: string;
    readonly probability: number;
  }[];
  /** Of the whole distribution, nats. */
  readonly entropy: number;
}

export interface LogitLens extends InspectedText {
  readonly vocabSize: number;
  /** Of the hidden states: 0 is the embeddings, the last the model's own prediction. `positions`: one for each token. */
  readonly layers: readonly {
    readonly layer: number;
    readonly positions: readonly LensPrediction[];
  }[];
}

/** Rows whose logits are there at a time. */
const blockRows = 128;

/**
 * What a language model would predict if each layer were its last: its final norm and output projection are put on the hidden
 * states of every layer (nostalgebraist, "interpreting GPT: the logit lens", 2020).
 * @throws ERR_UNSUPPORTED for an encoder, a model without a head, or a text where there is no tokenizer; ERR_INPUT for an empty
 * text and one that the model has no positions for; ERR_ARGUMENT.
 */
export async function logitLens(
  model: Model,
  text: TextOrIds,
  options: LogitLensOptions = {},
): Promise<LogitLens> {
  const what = 'logitLens';
  const watched = { own: ['topK'], output: 'hiddenStates' } as const;
  const { model: inspected, count, read } = inspectedModel(what, model, options, watched);
  const { topK = 5, signal } = options;
  checkSizes(what, { topK });
  const decoder = inspected.encoder;
  if (!(decoder instanceof Decoder && decoder.outputNames.includes('logits'))) {
    const message =
      `${what}: expected a language model that predicts the next token (…ForCausalLM), found ${model.architecture}; ` +
      'attentionMaps (--attention) and tokenSimilarities (--clusters) look into any model';
    throw new HeddleError('ERR_UNSUPPORTED', message, { found: model.architecture });
  }
  const { tokens, length, encoding, forward } = await read(text);
  const states = await forward(Array.from({ length: count }, (_, i) => `hiddenStates.${i}`));
  const layers: LogitLens['layers'][number][] = [];
  for (let layer = 0; layer < count; layer++) {
    const { data } = states[`hiddenStates.${layer}`];
    const positions: LensPrediction[] = [];
    for (let begin = 0; begin < tokens.length; begin += blockRows) {
      const end = Math.min(tokens.length, begin + blockRows);
      const { hiddenSize } = decoder;
      const rows = data.subarray(begin * hiddenSize, end * hiddenSize);
      const block = {
        ids: encoding.ids.subarray(begin, end),
        typeIds: encoding.typeIds.subarray(begin, end),
        overflowed: false,
      };
      const graph = lensGraph(decoder, rows, layer === count - 1);
      const [logits] = await inspected.runEncodings(graph, [block], signal);
      for (const { top, entropy } of predictions(logits, topK)) {
        const named = top.map((word) => ({ ...word, text: wordOf(word.id, model.tokenizer) }));
        positions.push({ top: named, entropy });
      }
    }
    layers.push({ layer, positions });
  }
  return { tokens, length, vocabSize: decoder.limits.vocabSize, layers };
}

let calls = 0;

/** @param rows float32 [rows, hiddenSize]. */
function lensGraph(decoder: Decoder, rows: Float32Array, isLast: boolean): TextGraph<NdArray> {
  const name = 'lens hidden';
  return {
    key: `logit lens ${calls++}`, // shares no run with others: what it computes is not made of ids
    planKey: `logit lens ${isLast}`,
    build: (_, batch) => {
      const hidden = input(name, [batch.rows, decoder.hiddenSize], 'float32');
      return { logits: decoder.lensLogits(hidden, batch, isLast) };
    },
    inputs: () => ({ feeds: { [name]: rows }, sizes: [] }),
    split: ({ logits }) => [logits],
  };
}
