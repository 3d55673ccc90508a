import type { Scope } from '../layers/scope.js';
import { type AttentionOptions, relativeBias } from '../ops/index.js';
import { poolerIfThere, tanhPooler } from './bert.js';
import type { EncoderTop } from './encoder.js';
import { family, tokenHeads } from './family.js';
import { MultipleChoice } from './heads.js';
import { encoderFields, type ModelConfig } from './model_config.js';
import { PostNormEncoder, type PostNormNames } from './post_norm_encoder.js';
import { firstTokenClassifier, lmHead, positionsAfterPadding } from './roberta.js';

function mpnetConfig(config: ModelConfig) {
  return {
    ...encoderFields(config),
    buckets: config.integer('relative_attention_num_buckets', { min: 2, default: 32 }),
  };
}
type MpnetConfig = ReturnType<typeof mpnetConfig>;

const names: PostNormNames = {
  layerAt: (i) => `encoder.layer.${i}`,
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
export class Mpnet extends PostNormEncoder {
  private readonly bias: AttentionOptions['bias'];

  constructor(config: MpnetConfig, scope: Scope, top: EncoderTop) {
    super(config, names, scope, top);
    const init = { kind: 'normal', deviation: 0.02 } as const;
    const table = scope
      .at('encoder.relative_attention_bias')
      .parameter('weight', [config.buckets, config.numHeads], 'vector', init);
    this.bias = { kind: 'relative', values: relativeBias(table, { maxDistance: 128 }) };
  }

  protected override attentionBias(): AttentionOptions['bias'] {
    return this.bias;
  }

  override positionIds(ids: readonly number[]): number[] {
    return positionsAfterPadding(ids, padId);
  }
}

export const mpnet = family({
  config: mpnetConfig,
  encoder: (config, scope, top) => new Mpnet(config, scope.at('mpnet'), top),
  heads: {
    base: (config, scope) => poolerIfThere(config, scope.at('mpnet.pooler.dense')),
    maskedLm: (config, scope) =>
      lmHead(config, scope.at('lm_head'), scope.at('mpnet.embeddings.word_embeddings')),
    sequenceClassification: (config, scope) => firstTokenClassifier(config, scope.at('classifier')),
    ...tokenHeads,
    multipleChoice: (config, scope) => {
      const pooler = tanhPooler(config, scope.at('mpnet.pooler.dense'));
      return { head: new MultipleChoice(pooler, config.hiddenSize, scope.at('classifier')) };
    },
  },
});
