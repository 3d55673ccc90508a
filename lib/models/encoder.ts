import { HeddleError } from '../errors.js';
import type { Feeds } from '../graph/run.js';
import type { Dim, SymbolicDim } from '../graph/shape.js';
import type { Tensor } from '../graph/tensor.js';
import type { AttentionCall } from '../layers/attention.js';
import type { PackedIds } from '../layers/sequence.js';
import { attentionWeights } from '../ops/index.js';
import type { PackedBatch } from './encoder_inputs.js';
import type { PaddingReach } from './padding.js';

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

/**
 * What an output has a vector for: each row, each sequence, or each pair of rows in a sequence and head; or one number for
 * each row (`score`) or for each choice of a question (`choice`).
 */
export type Per = 'row' | 'sequence' | 'pair' | 'score' | 'choice';

export interface EncoderOutput {
  readonly tensor: Tensor;
  readonly per: Per;
  /** It reads each sequence's first column, even where that is masked. */
  readonly readsFirst?: boolean;
}

/** What turns the last hidden state into the outputs of a task. */
export interface Head {
  /** What `forward` gives, by name: `logits` mostly. */
  readonly outputs: Readonly<Record<string, Per>>;
  /** It reads each sequence's first column, even where that is masked. */
  readonly readsFirst: boolean;
  forward(hidden: Tensor, batch: EncoderBatch): Record<string, Tensor>;
}

/** What makes one vector of a sequence: [rows, width] → [sequences, width]. */
export interface Pooler {
  readonly readsFirst: boolean;
  forward(hidden: Tensor, batch: EncoderBatch): Tensor;
}

/** What some checkpoints have on top of the layers. */
export interface EncoderTop {
  readonly head?: Head | undefined;
  readonly pooler?: Pooler | undefined;
}

/** Sizes that inputs are checked against. */
export interface EncoderLimits {
  readonly vocabSize: number;
  /** Positions that the model has. */
  readonly positions: number;
  /** Infinity where the family has no token types, and any are taken. */
  readonly typeVocabSize: number;
}

/** `observe` is told what a layer's attention is computed from. */
export interface LayerCall {
  readonly observe: (call: AttentionCall) => void;
}

/** One layer of the stack. */
export interface StackedLayer {
  forward(hidden: Tensor, batch: EncoderBatch, options: LayerCall): Tensor;
}

/** Inputs of a run beside those that every encoder reads, and the sizes of their symbols. */
export interface ExtraFeeds {
  readonly feeds: Feeds;
  readonly sizes: readonly [SymbolicDim, number][];
}

/** An encoder: embeddings, a stack of layers, perhaps a pooler or a head. */
export abstract class Encoder {
  /** @param hiddenSize width of the hidden states. */
  constructor(
    readonly limits: EncoderLimits,
    readonly hiddenSize: number,
    private readonly top: EncoderTop,
  ) {}

  protected abstract readonly layers: readonly StackedLayer[];

  /** The tokens' vectors before the first layer, float32 [rows, hiddenSize]. */
  protected abstract embed(batch: EncoderBatch): Tensor;

  /** What follows the last layer. */
  protected finish(hidden: Tensor): Tensor {
    return hidden;
  }

  /** Positions of a padded row of ids when the caller gives none, as the family's Hugging Face class counts them. */
  positionIds(ids: readonly number[], _mask?: readonly number[]): number[] {
    return ids.map((_, column) => column);
  }

  /** Set where what padding sees shows in a result that is made of padding: see `PaddingReach`. */
  readonly paddingReach: PaddingReach | undefined;

  /** What the inputs of this family alone are in a run. */
  extraFeeds(_batch: PackedBatch): ExtraFeeds {
    return { feeds: {}, sizes: [] };
  }

  /** The most tokens of one text: those that there are positions for. */
  get maxLength(): number {
    const [first] = this.positionIds([this.limits.vocabSize - 1]);
    return this.limits.positions - first;
  }

  /** Whether inputs come as [questions, choices, length]. */
  get takesChoices(): boolean {
    return Object.values(this.top.head?.outputs ?? {}).includes('choice');
  }

  /** What `forward` gives by default. */
  get defaultOutputs(): string[] {
    return this.top.head ? Object.keys(this.top.head.outputs) : ['lastHiddenState'];
  }

  /** Names of everything `outputs` gives. */
  get outputNames(): string[] {
    const numbered = (name: string, count: number): string[] =>
      Array.from({ length: count }, (_, i) => `${name}.${i}`);
    return [
      'lastHiddenState',
      ...(this.top.pooler ? ['pooled'] : []),
      ...Object.keys(this.top.head?.outputs ?? {}),
      ...numbered('hiddenStates', this.layers.length + 1),
      ...numbered('attentions', this.layers.length),
    ];
  }

  /** Logits of rows that were chosen from the last hidden state, of a model whose head works on each row alone. */
  rowLogits(rows: Tensor, batch: EncoderBatch): Tensor {
    const { head } = this.top;
    const logits = head?.outputs.logits === 'row' ? head.forward(rows, batch).logits : undefined;
    if (logits) return logits;
    throw new HeddleError('ERR_UNSUPPORTED', 'the model has no head that works on each token');
  }

  /** Records the whole model; `compile` keeps what the chosen outputs need. */
  outputs(batch: EncoderBatch): Record<string, EncoderOutput> {
    const outputs: Record<string, EncoderOutput> = {};
    let hidden = this.embed(batch);
    this.layers.forEach((layer, i) => {
      outputs[`hiddenStates.${i}`] = { tensor: hidden, per: 'row' };
      const observe = ({ q, k, options }: AttentionCall): void => {
        const maps = attentionWeights(q, k, batch.pairOffsets, batch.pairs, options);
        outputs[`attentions.${i}`] = { tensor: maps, per: 'pair' };
      };
      hidden = layer.forward(hidden, batch, { observe });
    });
    hidden = this.finish(hidden);
    outputs[`hiddenStates.${this.layers.length}`] = { tensor: hidden, per: 'row' };
    outputs.lastHiddenState = { tensor: hidden, per: 'row' };
    const { head, pooler } = this.top;
    if (pooler) {
      const { readsFirst } = pooler;
      outputs.pooled = { tensor: pooler.forward(hidden, batch), per: 'sequence', readsFirst };
    }
    for (const [name, tensor] of Object.entries(head?.forward(hidden, batch) ?? {})) {
      outputs[name] = { tensor, per: head?.outputs[name] ?? 'row', readsFirst: head?.readsFirst };
    }
    return outputs;
  }
}
