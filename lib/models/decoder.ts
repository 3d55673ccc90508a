import type { Feeds } from '../graph/run.js';
import { input, type Tensor } from '../graph/tensor.js';
import type { KeyValueCache, Norm } from '../layers/causal_attention.js';
import type { CausalBlock } from '../layers/causal_block.js';
import type { Embedding } from '../layers/embedding.js';
import { Linear } from '../layers/linear.js';
import type { Heads } from '../layers/query_key_value.js';
import type { Scope } from '../layers/scope.js';
import { dropped } from '../layers/train_mode.js';
import { activation, add, argmax, embedding, logitBlocks, scale } from '../ops/index.js';
import type { Rotary } from './decoder_config.js';
import { Encoder, type EncoderBatch, type ExtraFeeds, type Head } from './encoder.js';
import type { PackedBatch } from './encoder_inputs.js';
import type { Family } from './family.js';
import type { ModelConfig } from './model_config.js';

/** What a decoder reads: what every model of text does, and perhaps what it has read before. */
export interface DecoderBatch extends EncoderBatch {
  readonly cache?: KeyValueCache | undefined;
}

/** What a decoder-only model is made of. */
export interface DecoderParts {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly maxPositions: number;
  readonly heads: Heads;
  readonly words: Embedding;
  /** Factor of the words' vectors; default 1. */
  readonly embeddingScale?: number;
  /** Learned positions, added to the words (Radford et al. 2019). */
  readonly positions?: Embedding | undefined;
  /** Where long sequences take other angles than short ones. */
  readonly rotary?: Rotary | undefined;
  readonly blocks: readonly CausalBlock[];
  /** What follows the last block. */
  readonly norm: Norm;
  readonly head?: Head | undefined;
}

/** A decoder-only language model: embeddings, a stack of causal blocks, a norm, and the scores of the next word. */
export class Decoder extends Encoder {
  protected readonly layers: readonly CausalBlock[];
  private readonly angles = new WeakMap<Tensor, Tensor>();

  constructor(private readonly parts: DecoderParts) {
    const { vocabSize, maxPositions, hiddenSize, head } = parts;
    super({ vocabSize, positions: maxPositions, typeVocabSize: Infinity }, hiddenSize, { head });
    this.layers = parts.blocks;
  }

  /** What a cache of keys and values has to hold. */
  get cacheShape(): Heads & { layers: number } {
    return { ...this.parts.heads, layers: this.layers.length };
  }

  /** Sequences beyond this length are read with other angles from their first token on; Infinity for most models. */
  get rotaryLimit(): number {
    return this.parts.rotary?.config.original ?? Infinity;
  }

  /** Positions count the tokens that are not masked. */
  override positionIds(ids: readonly number[], mask?: readonly number[]): number[] {
    let next = 0;
    return ids.map((_, column) => (mask?.[column] === 0 ? Math.max(0, next - 1) : next++));
  }

  /**
   * The places of positions in the tables of angles. @param offsets rows of each sequence.
   * @param lengths of the sequences, from their first token on.
   */
  anglesOf(positions: Int32Array, offsets: Int32Array, lengths: readonly number[]): Int32Array {
    const { rotaryLimit, parts } = this;
    const span = parts.rotary?.positions.span ?? 0;
    const places = Int32Array.from(positions);
    lengths.forEach((length, sequence) => {
      if (length <= rotaryLimit) return;
      for (let row = offsets[sequence]; row < offsets[sequence + 1]; row++) places[row] += span;
    });
    return places;
  }

  override extraFeeds({ positionIds, offsets }: PackedBatch): ExtraFeeds {
    return { feeds: this.angleFeeds(positionIds, offsets), sizes: [] };
  }

  /** Sequences that are read whole. */
  private angleFeeds(positions: Int32Array, offsets: Int32Array): Feeds {
    if (this.rotaryLimit === Infinity) return {};
    const lengths = Array.from(
      { length: offsets.length - 1 },
      (_, i) =>
        1 + positions.subarray(offsets[i], offsets[i + 1]).reduce((a, b) => Math.max(a, b), -1),
    );
    return { angles: this.anglesOf(positions, offsets, lengths) };
  }

  protected embed({ ids, positionIds }: EncoderBatch): Tensor {
    const { words, positions, embeddingScale = 1 } = this.parts;
    const embedded = words.forward(ids, { scale: embeddingScale });
    const placed = positions ? add(embedded, positions.forward(positionIds)) : embedded;
    return dropped(placed, 'embedding');
  }

  override outputs(batch: DecoderBatch): ReturnType<Encoder['outputs']> {
    return super.outputs(this.placed(batch));
  }

  /**
   * Logits of the rows that `chosen` numbers, of a batch that continues a cache.
   * @param chosen int32 [count], a run-time input. @returns float32 [count, vocabSize].
   */
  nextLogits(batch: DecoderBatch, chosen: Tensor): Tensor {
    const placed = this.placed(batch);
    const hidden = this.layers.reduce(
      (rows, layer) => layer.forward(rows, placed),
      this.embed(placed),
    );
    // All but the chosen rows have done their work, which is in the cache.
    return this.rowLogits(this.finish(embedding(hidden, chosen)), placed);
  }

  /**
   * Logits that a layer's hidden state would give if the layer were the last: through the model's norm and output projection.
   * @param hidden float32 [rows, hiddenSize]; of the last layer as `outputs` gives it, behind the norm. @throws ERR_UNSUPPORTED without a head.
   */
  lensLogits(hidden: Tensor, batch: DecoderBatch, isLast: boolean): Tensor {
    return this.rowLogits(isLast ? hidden : this.finish(hidden), batch);
  }

  /** The best next id of each of those rows, and its logit: float32 [count, 2]. */
  nextBest(batch: DecoderBatch, chosen: Tensor): Tensor {
    return argmax(this.nextLogits(batch, chosen));
  }

  /** The logits of those rows with sums at temperatures, float32 [count], as `logitBlocks` gives them. */
  nextBlocks(batch: DecoderBatch, chosen: Tensor, temperatures: Tensor): Tensor {
    return logitBlocks(this.nextLogits(batch, chosen), temperatures);
  }

  protected override finish(hidden: Tensor): Tensor {
    return this.parts.norm.forward(hidden);
  }

  /** The batch with positions as the tables of angles want them. */
  private placed(batch: DecoderBatch): DecoderBatch {
    if (this.rotaryLimit === Infinity) return batch;
    let angles = this.angles.get(batch.positionIds);
    if (!angles) {
      angles = input('angles', [batch.rows], 'int32');
      this.angles.set(batch.positionIds, angles);
    }
    return { ...batch, positionIds: angles };
  }
}

/** What a family says of a model, whose head is made only where the checkpoint is meant to have one. */
export type DecoderSource = Omit<DecoderParts, 'head'> & { readonly makeHead: () => Head };

/** The two architectures of a family: the layers alone, and the language model. @param read makes a model from its config. */
export function decoderFamily(
  read: (config: ModelConfig, scope: Scope) => DecoderSource,
): Pick<Family, 'base' | 'causalLm'> {
  return {
    base: (config, scope) => new Decoder(read(config, scope)),
    causalLm: (config, scope) => {
      const parts = read(config, scope);
      return new Decoder({ ...parts, head: parts.makeHead() });
    },
  };
}

/** What there is about the output projection, and what becomes of its product. */
export interface LogitOptions {
  /** Whether it has a bias; default: no. */
  bias?: boolean | undefined;
  /** It is divided by this; default 1. */
  divisor?: number | undefined;
  /** Then it becomes softCap·tanh(score / softCap); 0, the default: it does not. */
  softCap?: number | undefined;
}

/** The scores of the next word. */
export class LanguageModelHead implements Head {
  readonly outputs = { logits: 'row' } as const;
  readonly readsFirst = false;

  constructor(
    private readonly output: Linear,
    private readonly options: LogitOptions = {},
  ) {}

  forward(hidden: Tensor): Record<string, Tensor> {
    const { softCap = 0, divisor = 1 } = this.options;
    const product = this.output.forward(hidden);
    const logits = divisor === 1 ? product : scale(product, 1 / divisor);
    if (softCap === 0) return { logits };
    return { logits: scale(activation(scale(logits, 1 / softCap), 'tanh'), softCap) };
  }
}

/** The head of a model whose output projection may be its table of words. */
export function languageModelHead(
  { vocabSize, hiddenSize, tied }: { vocabSize: number; hiddenSize: number; tied: boolean },
  words: Embedding,
  scope: Scope,
  options: LogitOptions = {},
): LanguageModelHead {
  const weight = tied ? { weight: words.weight } : {};
  if (tied && words.weight.source.kind === 'state') words.weight.source.state.isTied = true;
  const { bias = false } = options;
  const output = new Linear(hiddenSize, vocabSize, { bias, scope, ...weight });
  return new LanguageModelHead(output, options);
}
