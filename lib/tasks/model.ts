import { HeddleError } from '../errors.js';
import type { Backend } from '../graph/backend.js';
import type { Parameters } from '../graph/parameters.js';
import type { NdArray } from '../graph/run.js';
import type { ChoiceInputs } from '../models/choice_inputs.js';
import type { Encoder } from '../models/encoder.js';
import type { EncoderInputs } from '../models/encoder_inputs.js';
import { EncoderRunner } from '../models/encoder_runner.js';
import type { AsyncTokenizer } from '../text/async_tokenizer.js';
import type { CompactEncoding } from '../text/encoding.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { type EmbeddingDefaults, type EmbedOptions, embed } from './embed.js';

/** A model that `load` opened. Holds native memory until `dispose`; calls may overlap. */
export interface Model {
  /** As config.json names it, such as `BertModel`. */
  readonly architecture: string;
  readonly kind: 'encoder';
  readonly config: Readonly<Record<string, unknown>>;
  /** Absent when the source has none: everything but `embed` works on ids. */
  readonly tokenizer?: Tokenizer | undefined;
  /** Number of parameters. */
  readonly parameters: number;
  /** Tokens that the model takes of one text. */
  readonly maxLength: number;
  /**
   * Runs the model on ids. `outputs`: `logits`, `lastHiddenState`, `pooled`, `hiddenStates.N` (0 is the embeddings),
   * `attentions.N`; default: what the head gives (`logits`; for question answering `startLogits` and `endLogits`, [batch,
   * length]), else `lastHiddenState`. A model for multiple choice takes [questions, choices, length] and gives logits
   * [questions, choices].
   * @returns float32 [batch, length, …] each, 0 where the mask is 0.
   * @throws ERR_INPUT for ids, masks or positions that do not fit; ERR_ARGUMENT for an unknown output.
   */
  forward(
    inputs: EncoderInputs | ChoiceInputs,
    options?: { outputs?: string[]; signal?: AbortSignal },
  ): Promise<Record<string, NdArray>>;
  /** Sentence vectors, one for each text, pooled and normalised as the checkpoint says. */
  embed(texts: string | readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
  /** Gives the memory back. Calls that are running end as they would; later ones throw ERR_DISPOSED. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** The parts of an encoder that `load` puts together. */
export interface EncoderParts {
  architecture: string;
  config: Readonly<Record<string, unknown>>;
  encoder: Encoder;
  parameters: Parameters;
  tokenizer: AsyncTokenizer | undefined;
  embedding: EmbeddingDefaults;
  backend: Backend;
}

export class EncoderModel implements Model {
  readonly kind = 'encoder';
  readonly architecture: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tokenizer: Tokenizer | undefined;
  private readonly runner: EncoderRunner;
  private disposed = false;
  /** Calls that have not ended. */
  private calls = 0;

  constructor(private readonly parts: EncoderParts) {
    this.architecture = parts.architecture;
    this.config = parts.config;
    this.tokenizer = parts.tokenizer?.tokenizer;
    this.runner = new EncoderRunner(parts.encoder, parts.backend);
  }

  get parameters(): number {
    return this.parts.parameters.count;
  }

  get maxLength(): number {
    return this.parts.embedding.maxLength;
  }

  async forward(
    inputs: EncoderInputs | ChoiceInputs,
    options: { outputs?: string[]; signal?: AbortSignal } = {},
  ): Promise<Record<string, NdArray>> {
    return this.use(() => this.runner.forward(inputs, options));
  }

  async embed(
    texts: string | readonly string[],
    options: EmbedOptions = {},
  ): Promise<Float32Array[]> {
    return this.use(() =>
      embed(this.runner, this.tokenizerFor('embed'), this.parts.embedding, texts, options),
    );
  }

  /** Ids of texts, as many as the tokenizer's own limit and the model's positions allow. */
  async encode(texts: readonly string[], signal?: AbortSignal): Promise<CompactEncoding[]> {
    return this.use(() => {
      const tokenizer = this.tokenizerFor('encode');
      return tokenizer.encodeAll(texts, { maxLength: this.textLimit }, signal);
    });
  }

  /** Tokens of a text that the tokenizer's files allow, whatever a sentence-transformers folder says. */
  get textLimit(): number {
    const { tokenizer, encoder } = this.parts;
    return Math.min(tokenizer?.tokenizer.settings.modelMaxLength ?? Infinity, encoder.maxLength);
  }

  dispose(): void {
    this.disposed = true;
    if (this.calls === 0) this.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Counts a call, which keeps the memory until it ends. */
  private async use<T>(body: () => Promise<T>): Promise<T> {
    if (this.disposed) {
      throw new HeddleError('ERR_DISPOSED', `the model ${this.architecture} was disposed`);
    }
    this.calls++;
    try {
      return await body();
    } finally {
      this.calls--;
      if (this.disposed && this.calls === 0) this.release();
    }
  }

  private release(): void {
    this.runner.dispose();
    this.parts.tokenizer?.dispose();
    this.parts.parameters.dispose();
  }

  private tokenizerFor(what: string): AsyncTokenizer {
    const { tokenizer } = this.parts;
    if (tokenizer) return tokenizer;
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      `${what}: the model has no tokenizer.json beside its weights; use forward with ids`,
    );
  }
}
