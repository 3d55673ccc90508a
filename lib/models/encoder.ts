import type { Dim } from '../graph/shape.js';
import type { Tensor } from '../graph/tensor.js';
import type { AttentionCall } from '../layers/attention.js';
import { type EncoderLayer, type EncoderLayerNames, encoderStack } from '../layers/block.js';
import type { Scope } from '../layers/scope.js';
import type { PackedIds } from '../layers/sequence.js';
import { TokenEmbeddings } from '../layers/token_embeddings.js';
import { type Activation, type AttentionOptions, attentionWeights } from '../ops/index.js';

/** What an encoder reads: packed ids beside what each row carries along. All int32. */
export interface EncoderBatch extends PackedIds {
  /** [rows]: which of two texts a token belongs to. */
  readonly typeIds: Tensor;
  /** [rows]: index into the model's position table. */
  readonly positionIds: Tensor;
  /** Σ length² over the sequences, and where each sequence's part begins: [count + 1]. For attention maps. */
  readonly pairs: Dim;
  readonly pairOffsets: Tensor;
}

/** One value of an encoder: for each row, each sequence, or each pair of rows in a sequence and each head. */
export interface EncoderOutput {
  readonly tensor: Tensor;
  readonly per: 'row' | 'sequence' | 'pair';
}

/** What turns the last hidden state into logits. */
export interface Head {
  readonly per: 'row' | 'sequence';
  forward(hidden: Tensor, batch: EncoderBatch): Tensor;
}

/** Sizes that inputs are checked against. */
export interface EncoderLimits {
  readonly vocabSize: number;
  /** Entries of the position table. */
  readonly positions: number;
  readonly typeVocabSize: number;
}

/** What the encoders of all families are made from. */
export interface EncoderConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly intermediateSize: number;
  readonly activation: Activation;
  readonly epsilon: number;
  readonly maxPositions: number;
  /** Left out: the family has no token types, and any are taken. */
  readonly typeVocabSize?: number;
}

/** How a family's checkpoints name the layers. */
export interface EncoderNames {
  /** Parent of the numbered layers. */
  readonly stack: string;
  readonly layer: EncoderLayerNames;
}

/** What some checkpoints have on top of the layers. */
export interface EncoderTop {
  readonly head?: Head | undefined;
  readonly pooler?: Head | undefined;
}

const embeddingNames = {
  words: 'word_embeddings',
  positions: 'position_embeddings',
  types: 'token_type_embeddings',
  norm: 'LayerNorm',
};

/** An encoder: embeddings, a stack of layers, perhaps a pooler or a head. Families differ in names and positions. */
export abstract class Encoder {
  readonly limits: EncoderLimits;
  readonly hiddenSize: number;
  private readonly embeddings: TokenEmbeddings;
  private readonly layers: readonly EncoderLayer[];
  private readonly head: Head | undefined;
  private readonly pooler: Head | undefined;

  /** @param scope of the model without its head, such as `bert`. */
  constructor(config: EncoderConfig, names: EncoderNames, scope: Scope, parts: EncoderTop = {}) {
    const { vocabSize, hiddenSize, maxPositions, typeVocabSize, epsilon } = config;
    this.limits = { vocabSize, positions: maxPositions, typeVocabSize: typeVocabSize ?? Infinity };
    this.hiddenSize = hiddenSize;
    this.embeddings = new TokenEmbeddings({
      vocabSize,
      dModel: hiddenSize,
      maxPositions,
      typeVocabSize,
      epsilon,
      names: embeddingNames,
      scope: scope.at('embeddings'),
    });
    const layer = {
      dModel: hiddenSize,
      numHeads: config.numHeads,
      dFeedForward: config.intermediateSize,
      activation: config.activation,
      epsilon,
      names: names.layer,
    };
    this.layers = encoderStack(config.numLayers, layer, (i) => scope.at(`${names.stack}.${i}`));
    this.head = parts.head;
    this.pooler = parts.pooler;
  }

  /** A bias that all layers add to their scores. */
  protected attentionBias(): AttentionOptions['bias'] | undefined {
    return undefined;
  }

  /** Positions of a padded row of ids when the caller gives none, as the family's Hugging Face class counts them. */
  positionIds(ids: readonly number[]): number[] {
    return ids.map((_, column) => column);
  }

  /** The most tokens of one text: those that the position table has room for. */
  get maxLength(): number {
    const [first] = this.positionIds([this.limits.vocabSize - 1]);
    return this.limits.positions - first;
  }

  /** Where `forward` finds its result by default. */
  get defaultOutput(): string {
    return this.head ? 'logits' : 'lastHiddenState';
  }

  /** Names of everything `outputs` gives. */
  get outputNames(): string[] {
    const numbered = (name: string, count: number): string[] =>
      Array.from({ length: count }, (_, i) => `${name}.${i}`);
    return [
      'lastHiddenState',
      ...(this.pooler ? ['pooled'] : []),
      ...(this.head ? ['logits'] : []),
      ...numbered('hiddenStates', this.layers.length + 1),
      ...numbered('attentions', this.layers.length),
    ];
  }

  /** Records the whole model; `compile` keeps what the chosen outputs need. */
  outputs(batch: EncoderBatch): Record<string, EncoderOutput> {
    const outputs: Record<string, EncoderOutput> = {};
    const bias = this.attentionBias();
    let hidden = this.embeddings.forward(batch);
    outputs['hiddenStates.0'] = { tensor: hidden, per: 'row' };
    this.layers.forEach((layer, i) => {
      const observe = ({ q, k, options }: AttentionCall): void => {
        const maps = attentionWeights(q, k, batch.pairOffsets, batch.pairs, options);
        outputs[`attentions.${i}`] = { tensor: maps, per: 'pair' };
      };
      hidden = layer.forward(hidden, batch, { bias, observe });
      outputs[`hiddenStates.${i + 1}`] = { tensor: hidden, per: 'row' };
    });
    outputs.lastHiddenState = { tensor: hidden, per: 'row' };
    const { head, pooler } = this;
    if (pooler) outputs.pooled = { tensor: pooler.forward(hidden, batch), per: pooler.per };
    if (head) outputs.logits = { tensor: head.forward(hidden, batch), per: head.per };
    return outputs;
  }
}
