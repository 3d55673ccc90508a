import { HeddleError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { Embedding } from '../layers/embedding.js';
import type { Scope } from '../layers/scope.js';
import { embedding } from '../ops/index.js';
import type { EncoderBatch, EncoderLimits, EncoderOutput, ExtraFeeds } from './encoder.js';
import type { TextEncoder } from './text_encoder.js';

/**
 * A table of one vector for each token, distilled from an encoder (Tulkens and van Dongen 2024, "Model2Vec"): a text's hidden
 * states are the vectors of its tokens, whatever stands beside them.
 */
export class StaticEmbedding implements TextEncoder {
  readonly limits: EncoderLimits;
  readonly maxLength = Infinity;
  readonly defaultOutputs = ['lastHiddenState'];
  readonly paddingReach = undefined;
  readonly takesChoices = false;
  readonly outputNames = ['lastHiddenState'];
  private readonly table: Tensor;

  /** @param scope holds the table as `weight` [vocabSize, hiddenSize]. */
  constructor(
    vocabSize: number,
    readonly hiddenSize: number,
    scope: Scope,
  ) {
    this.limits = { vocabSize, positions: Infinity, typeVocabSize: Infinity };
    this.table = new Embedding(vocabSize, hiddenSize, { scope }).weight;
  }

  /** Positions are not read. */
  positionIds(ids: readonly number[]): number[] {
    return ids.map((_, column) => column);
  }

  outputs({ ids }: EncoderBatch): Record<string, EncoderOutput> {
    return { lastHiddenState: { tensor: embedding(this.table, ids), per: 'row' } };
  }

  extraFeeds(): ExtraFeeds {
    return { feeds: {}, sizes: [] };
  }

  rowLogits(): Tensor {
    throw new HeddleError('ERR_UNSUPPORTED', 'a static embedding has no head');
  }
}
