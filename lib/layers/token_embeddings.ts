import { inLayer, type Tensor } from '../graph/tensor.js';
import { add } from '../ops/index.js';
import { Embedding } from './embedding.js';
import { Layer } from './layer.js';
import { LayerNorm } from './norm.js';
import type { LayerOptions } from './scope.js';

export interface TokenEmbeddingsNames {
  words: string;
  positions: string;
  types: string;
  norm: string;
}

export interface TokenEmbeddingsOptions extends LayerOptions {
  vocabSize: number;
  dModel: number;
  maxPositions: number;
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

/** Word, type and position embeddings, added and normalised (Devlin et al. 2019, figure 2). */
export class TokenEmbeddings extends Layer {
  private readonly words: Embedding;
  private readonly types: Embedding | undefined;
  private readonly positions: Embedding;
  private readonly norm: LayerNorm;

  constructor(options: TokenEmbeddingsOptions) {
    const known = ['vocabSize', 'dModel', 'maxPositions', 'typeVocabSize', 'epsilon', 'names'];
    super('TokenEmbeddings', options, known);
    const { vocabSize, dModel, maxPositions, typeVocabSize, epsilon = 1e-12, names } = options;
    const table = (entries: number, name: string): Embedding =>
      new Embedding(entries, dModel, { scope: this.scope.at(name) });
    this.words = table(vocabSize, names.words);
    this.types = typeVocabSize === undefined ? undefined : table(typeVocabSize, names.types);
    this.positions = table(maxPositions, names.positions);
    this.norm = new LayerNorm(dModel, { epsilon, scope: this.scope.at(names.norm) });
  }

  /** @returns float32 [rows, dModel]. */
  forward({ ids, typeIds, positionIds }: TokenIds): Tensor {
    return inLayer(this.scope.path, () => {
      const words = this.words.forward(ids);
      const tokens = this.types ? add(words, this.types.forward(typeIds)) : words;
      return this.norm.forward(add(tokens, this.positions.forward(positionIds)));
    });
  }
}
