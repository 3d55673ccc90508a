import { inLayer, type Tensor } from '../graph/tensor.js';
import { add } from '../ops/index.js';
import { Embedding } from './embedding.js';
import { Layer } from './layer.js';
import { Linear } from './linear.js';
import { LayerNorm } from './norm.js';
import type { LayerOptions } from './scope.js';
import { dropped } from './train_mode.js';

export interface TokenEmbeddingsNames {
  words: string;
  positions: string;
  types: string;
  norm: string;
  projection?: string;
}

export interface TokenEmbeddingsOptions extends LayerOptions {
  vocabSize: number;
  dModel: number;
  /** Width of the tables, which a projection without bias then brings to `dModel`; default: `dModel`. */
  width?: number | undefined;
  /** Entries of the table of positions; left out: there is none. */
  maxPositions?: number | undefined;
  /** Entries of the table of token types; left out: there is none. */
  typeVocabSize?: number | undefined;
  epsilon?: number;
  names: TokenEmbeddingsNames;
}

/** What a token's vector is looked up by, each int32 [rows]; `typeIds` count only where there are types. */
export interface TokenIds {
  readonly ids: Tensor;
  readonly typeIds: Tensor;
  readonly positionIds: Tensor;
}

/** Word, type and position embeddings, added, perhaps projected, and normalised (Devlin et al. 2019, figure 2). */
export class TokenEmbeddings extends Layer {
  private readonly words: Embedding;
  private readonly types: Embedding | undefined;
  private readonly positions: Embedding | undefined;
  private readonly projection: Linear | undefined;
  private readonly norm: LayerNorm;

  constructor(options: TokenEmbeddingsOptions) {
    const sizes = ['vocabSize', 'dModel', 'width', 'maxPositions', 'typeVocabSize'];
    super('TokenEmbeddings', options, [...sizes, 'epsilon', 'names']);
    const { vocabSize, dModel, maxPositions, typeVocabSize, epsilon = 1e-12, names } = options;
    const { width = dModel } = options;
    const table = (entries: number, name: string): Embedding =>
      new Embedding(entries, width, { scope: this.scope.at(name) });
    const optional = (entries: number | undefined, name: string): Embedding | undefined =>
      entries === undefined ? undefined : table(entries, name);
    this.words = table(vocabSize, names.words);
    this.types = optional(typeVocabSize, names.types);
    this.positions = optional(maxPositions, names.positions);
    if (width !== dModel) {
      const scope = this.scope.at(names.projection ?? 'projection');
      this.projection = new Linear(width, dModel, { bias: false, scope });
    }
    this.norm = new LayerNorm(dModel, { epsilon, scope: this.scope.at(names.norm) });
  }

  /** @returns float32 [rows, dModel]. */
  forward({ ids, typeIds, positionIds }: TokenIds): Tensor {
    return inLayer(this.scope.path, () => {
      const words = this.words.forward(ids);
      const tokens = this.types ? add(words, this.types.forward(typeIds)) : words;
      const placed = this.positions ? add(tokens, this.positions.forward(positionIds)) : tokens;
      return dropped(this.norm.forward(this.projection?.forward(placed) ?? placed), 'embedding');
    });
  }
}
