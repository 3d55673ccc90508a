import type { Tensor } from '../graph/tensor.js';
import type { Scope } from '../layers/scope.js';
import { type AttentionOptions, relativeBias } from '../ops/index.js';
import { Encoder, type EncoderNames, type EncoderTop } from './encoder.js';
import { FirstTokenPooler, TokenClassifier } from './heads.js';
import { encoderFields, type ModelConfig } from './model_config.js';
import { firstTokenClassifier, lmHead, positionsAfterPadding } from './roberta.js';

function mpnetConfig(config: ModelConfig) {
  return {
    ...encoderFields(config),
    buckets: config.integer('relative_attention_num_buckets', { min: 2, default: 32 }),
  };
}
type MpnetConfig = ReturnType<typeof mpnetConfig>;

const names: EncoderNames = {
  stack: 'encoder.layer',
  layer: {
    query: 'attention.attn.q',
    key: 'attention.attn.k',
    value: 'attention.attn.v',
    output: 'attention.attn.o',
    attentionNorm: 'attention.LayerNorm',
    up: 'intermediate.dense',
    down: 'output.dense',
    feedForwardNorm: 'output.LayerNorm',
  },
};

/** The padding id that positions skip: fixed in MPNet's embeddings, whatever its config says. */
const padId = 1;

/**
 * Song et al. 2020, "MPNet: Masked and Permuted Pre-training for Language Understanding": BERT with a relative position
 * bias, one table for all layers.
 */
export class Mpnet extends Encoder {
  private readonly biasTable: Tensor;

  constructor(config: MpnetConfig, scope: Scope, parts: EncoderTop = {}) {
    super(config, names, scope, parts);
    const init = { kind: 'normal', deviation: 0.02 } as const;
    this.biasTable = scope
      .at('encoder.relative_attention_bias')
      .parameter('weight', [config.buckets, config.numHeads], 'vector', init);
  }

  protected override attentionBias(): AttentionOptions['bias'] {
    return { kind: 'relative', values: relativeBias(this.biasTable, { maxDistance: 128 }) };
  }

  override positionIds(ids: readonly number[]): number[] {
    return positionsAfterPadding(ids, padId);
  }
}

export function mpnetModel(source: ModelConfig, scope: Scope): Encoder {
  const config = mpnetConfig(source);
  const dense = scope.at('mpnet.pooler.dense');
  const parts = dense.has('weight')
    ? { pooler: new FirstTokenPooler(config.hiddenSize, 'tanh', dense) }
    : {};
  return new Mpnet(config, scope.at('mpnet'), parts);
}

export function mpnetForMaskedLm(source: ModelConfig, scope: Scope): Encoder {
  const config = mpnetConfig(source);
  const words = scope.at('mpnet.embeddings.word_embeddings');
  return new Mpnet(config, scope.at('mpnet'), { head: lmHead(config, scope.at('lm_head'), words) });
}

export function mpnetForSequenceClassification(source: ModelConfig, scope: Scope): Encoder {
  const config = mpnetConfig(source);
  const head = firstTokenClassifier(config.hiddenSize, config.labels, scope.at('classifier'));
  return new Mpnet(config, scope.at('mpnet'), { head });
}

export function mpnetForTokenClassification(source: ModelConfig, scope: Scope): Encoder {
  const config = mpnetConfig(source);
  const head = new TokenClassifier(config.hiddenSize, config.labels, scope.at('classifier'));
  return new Mpnet(config, scope.at('mpnet'), { head });
}
