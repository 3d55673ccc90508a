import type { Dim } from '../graph/shape.js';
import type { Tensor } from '../graph/tensor.js';
import type { AttentionCall } from '../layers/attention.js';
import type { EncoderLayer } from '../layers/block.js';
import type { PackedIds } from '../layers/sequence.js';
import { type AttentionOptions, attentionWeights } from '../ops/index.js';

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

/** An encoder of any family: embeddings, a stack of layers, perhaps a pooler or a head. */
export abstract class Encoder {
  abstract readonly limits: EncoderLimits;
  abstract readonly hiddenSize: number;
  protected abstract readonly layers: readonly EncoderLayer[];
  protected readonly head: Head | undefined;
  protected readonly pooler: Head | undefined;

  constructor(parts: { head?: Head | undefined; pooler?: Head | undefined } = {}) {
    this.head = parts.head;
    this.pooler = parts.pooler;
  }

  /** Input of the first layer, float32 [rows, hiddenSize]. */
  protected abstract embed(batch: EncoderBatch): Tensor;

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
    let hidden = this.embed(batch);
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
