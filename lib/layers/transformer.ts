import { checkOptions, checkSizes } from '../graph/options.js';
import type { Tensor } from '../graph/tensor.js';
import { type Activation, add } from '../ops/index.js';
import {
  type BlockOptions,
  DecoderLayer,
  type EncoderLayer,
  encoderStack,
  type Memory,
} from './block.js';
import { Embedding } from './embedding.js';
import { Layer } from './layer.js';
import { Linear } from './linear.js';
import { LayerNorm } from './norm.js';
import { type SinusoidalLayout, SinusoidalPositions } from './positional_encoding.js';
import { type LayerOptions, Scope } from './scope.js';
import { expectPacked, type PackedIds } from './sequence.js';
import { type Dropout, type DropoutRates, dropoutRates, dropped } from './train_mode.js';

export interface TransformerOptions extends LayerOptions {
  vocabSize: number;
  dModel?: number;
  numHeads?: number;
  numEncoderLayers?: number;
  numDecoderLayers?: number;
  dFeedForward?: number;
  activation?: Activation;
  /** Normalise before each part; then a norm also ends each stack. */
  normFirst?: boolean;
  epsilon?: number;
  /** Longest sequence. */
  maxLength?: number;
  /** Of sines and cosines; default `interleaved`. */
  positionLayout?: SinusoidalLayout;
  /** In `trainMode`, at the places of torch.nn.Transformer and of the embeddings; default 0.1. */
  dropout?: Dropout;
  /** Fresh parameters are drawn from this seed. */
  seed?: number;
}

const optionNames: readonly (keyof TransformerOptions)[] = [
  'vocabSize',
  'dModel',
  'numHeads',
  'numEncoderLayers',
  'numDecoderLayers',
  'dFeedForward',
  'activation',
  'normFirst',
  'epsilon',
  'maxLength',
  'positionLayout',
  'dropout',
  'seed',
  'scope',
];

/**
 * The encoder–decoder of Vaswani et al. 2017, "Attention Is All You Need": one embedding for source, target and
 * output, scaled by √dModel, plus sinusoidal positions. The defaults are the paper's base model.
 */
export class Transformer extends Layer {
  private readonly embedding: Embedding;
  private readonly positions: SinusoidalPositions;
  private readonly encoder: readonly EncoderLayer[];
  private readonly decoder: readonly DecoderLayer[];
  private readonly encoderNorm: LayerNorm | undefined;
  private readonly decoderNorm: LayerNorm | undefined;
  private readonly output: Linear;
  private readonly rates: DropoutRates;

  constructor(options: TransformerOptions) {
    checkOptions('Transformer', options, optionNames);
    const { seed = 0, scope = Scope.random(seed), ...sizes } = options;
    super('Transformer', { scope });
    const { vocabSize, dModel = 512, numHeads = 8, dFeedForward = 2048, maxLength = 512 } = sizes;
    const { numEncoderLayers = 6, numDecoderLayers = 6 } = sizes;
    const { activation = 'relu', normFirst = false, epsilon = 1e-5, dropout = 0.1 } = sizes;
    checkSizes('Transformer', { vocabSize, dModel, numHeads, dFeedForward, maxLength });
    checkSizes('Transformer', { numEncoderLayers, numDecoderLayers }, 0);
    const parts = { activation, normFirst, epsilon, dropout };
    const block: BlockOptions = { dModel, numHeads, dFeedForward, ...parts };
    this.rates = dropoutRates(dropout, 'Transformer: dropout');
    const lastNorm = (name: string): LayerNorm | undefined =>
      normFirst ? new LayerNorm(dModel, { epsilon, scope: scope.at(name) }) : undefined;
    this.embedding = new Embedding(vocabSize, dModel, { scope: scope.at('embedding') });
    this.positions = new SinusoidalPositions(maxLength, dModel, {
      scope,
      layout: sizes.positionLayout,
    });
    this.encoder = encoderStack(numEncoderLayers, block, (i) => scope.at(`encoder.layers.${i}`));
    this.decoder = Array.from(
      { length: numDecoderLayers },
      (_, i) => new DecoderLayer({ ...block, scope: scope.at(`decoder.layers.${i}`) }),
    );
    this.encoderNorm = lastNorm('encoder.norm');
    this.decoderNorm = lastNorm('decoder.norm');
    this.output = new Linear(dModel, vocabSize, {
      weight: this.embedding.weight,
      scope: scope.at('output'),
    });
  }

  /** @returns float32 [rows of source, dModel]. */
  encode(source: PackedIds): Memory {
    let hidden = this.embed(source);
    for (const layer of this.encoder) hidden = layer.forward(hidden, source);
    return { hidden: this.encoderNorm?.forward(hidden) ?? hidden, sequences: source };
  }

  /** @returns logits, float32 [rows of target, vocabSize]. */
  decode(target: PackedIds, memory: Memory): Tensor {
    let hidden = this.embed(target);
    for (const layer of this.decoder) hidden = layer.forward(hidden, target, memory);
    return this.output.forward(this.decoderNorm?.forward(hidden) ?? hidden);
  }

  /** Logits of the target's next ids, float32 [rows of target, vocabSize]. Sequence i of the target attends to i of the source. */
  forward(source: PackedIds, target: PackedIds): Tensor {
    return this.decode(target, this.encode(source));
  }

  private embed(packed: PackedIds): Tensor {
    expectPacked(packed, 'Transformer');
    const scale = Math.sqrt(this.embedding.width);
    const words = this.embedding.forward(packed.ids, { scale });
    return dropped(add(words, this.positions.forward(packed.positions)), 'embedding', this.rates);
  }
}
