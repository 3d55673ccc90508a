import { HeddleError } from '../errors.js';
import { checkSizes } from '../graph/options.js';
import { inLayer, type Tensor } from '../graph/tensor.js';
import { type AttentionBias, type AttentionOptions, attention } from '../ops/index.js';
import {
  type AttentionNames,
  type SelfAttention,
  type SelfAttentionOptions,
  seenWindow,
  withMeans,
} from './attention.js';
import { Layer } from './layer.js';
import { Linear } from './linear.js';
import type { RelativeEmbeddings } from './relative_embeddings.js';
import type { LayerOptions } from './scope.js';
import type { Sequences } from './sequence.js';
import { attentionDropout } from './train_mode.js';

export interface DisentangledAttentionOptions extends LayerOptions {
  dModel: number;
  numHeads: number;
  /** Left out: scores do not depend on positions, but are scaled as if they did. */
  relative?: RelativeEmbeddings | undefined;
  contentToPosition: boolean;
  positionToContent: boolean;
  /** Positions are projected as the contents are. */
  shared: boolean;
  names: AttentionNames & { positionKey: string; positionQuery: string };
}

/**
 * Attention whose scores are the sum of content to content, content to position and position to content (He et al. 2021,
 * "DeBERTa", equation 4), divided by √(size · number of terms).
 */
export class DisentangledAttention extends Layer implements SelfAttention {
  private readonly query: Linear;
  private readonly key: Linear;
  private readonly value: Linear;
  private readonly output: Linear;
  private readonly positionKey: Linear | undefined;
  private readonly positionQuery: Linear | undefined;
  private readonly relative: RelativeEmbeddings | undefined;
  private readonly numHeads: number;
  private readonly scale: number;

  constructor(options: DisentangledAttentionOptions) {
    const terms = ['relative', 'contentToPosition', 'positionToContent', 'shared'];
    super('DisentangledAttention', options, ['dModel', 'numHeads', ...terms, 'names']);
    const { dModel, numHeads, relative, contentToPosition, positionToContent, shared } = options;
    const { names } = options;
    checkSizes('DisentangledAttention', { dModel, numHeads });
    if (!Number.isInteger(dModel / numHeads)) {
      throw new HeddleError(
        'ERR_SHAPE',
        `attention: expected heads that divide the width, found ${numHeads} heads for a width of ${dModel}`,
      );
    }
    const projection = (name: string): Linear =>
      new Linear(dModel, dModel, { scope: this.scope.at(name) });
    this.numHeads = numHeads;
    this.query = projection(names.query);
    this.key = projection(names.key);
    this.value = projection(names.value);
    this.output = projection(names.output);
    this.relative = relative;
    if (relative && contentToPosition) {
      this.positionKey = shared ? this.key : projection(names.positionKey);
    }
    if (relative && positionToContent) {
      this.positionQuery = shared ? this.query : projection(names.positionQuery);
    }
    const count = 1 + Number(contentToPosition) + Number(positionToContent);
    this.scale = 1 / Math.sqrt((dModel / numHeads) * count);
  }

  /** x: float32 [rows, dModel]. @returns the same shape. */
  forward(x: Tensor, sequences: Sequences, { observe }: SelfAttentionOptions = {}): Tensor {
    const q = this.query.forward(x);
    const k = this.key.forward(x);
    const v = this.value.forward(x);
    const bias = this.bias();
    const attend: AttentionOptions = {
      heads: this.numHeads,
      segments: sequences.offsets,
      positions: sequences.positions,
      keyPositions: sequences.keyPositions ?? sequences.positions,
      ...seenWindow(sequences),
      scale: this.scale,
      ...(bias ? { bias } : {}),
      ...attentionDropout(q),
    };
    observe?.({ q, k, options: attend });
    const mixed = inLayer(this.scope.path, () => attention(q, k, v, attend));
    return this.output.forward(withMeans(mixed, v, sequences));
  }

  private bias(): AttentionBias | undefined {
    const { relative, positionKey, positionQuery } = this;
    if (!relative || !(positionKey || positionQuery)) return undefined;
    return {
      kind: 'disentangled',
      relativeKeys: positionKey?.forward(relative.rows),
      relativeQueries: positionQuery?.forward(relative.rows),
      buckets: relative.buckets,
    };
  }
}
