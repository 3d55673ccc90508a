import { HeddleError, mismatch } from '../errors.js';
import type { GenerateOptions } from '../generation/options.js';
import type { Perplexity, PerplexityOptions } from '../generation/perplexity.js';
import type { Backend } from '../graph/backend.js';
import { describeValue } from '../graph/options.js';
import type { Parameters } from '../graph/parameters.js';
import type { NdArray } from '../graph/run.js';
import type { ChoiceInputs } from '../models/choice_inputs.js';
import type { EncoderInputs } from '../models/encoder_inputs.js';
import { EncoderRunner } from '../models/encoder_runner.js';
import type { TextEncoder } from '../models/text_encoder.js';
import type { AsyncTokenizer, TextInput } from '../text/async_tokenizer.js';
import type { CompactEncoding } from '../text/encoding.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { type EmbeddingDefaults, type EmbedOptions, embed } from './embed.js';
import type { Prompt } from './prompt.js';
import { documentPrompts, promptFor, queryPrompts } from './prompted_texts.js';
import { RequestBatches, type TextGraph } from './request_batches.js';
import { type Ranked, type RerankOptions, rerank } from './rerank.js';
import type { GeneratedToken, Generation } from './text_generator.js';
import { chunkTokens, runTexts, type TextRunOptions } from './text_runs.js';
import type { Precision, Vectors } from './vector_precision.js';

/** A model that `load` opened. Holds native memory until `dispose`; calls may overlap. */
export interface Model {
  /** As config.json names it, such as `BertModel`. */
  readonly architecture: string;
  readonly kind: 'encoder' | 'decoder';
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
  embed<P extends Precision = 'float32'>(
    texts: string | readonly string[],
    options?: EmbedOptions<P>,
  ): Promise<Vectors<P>>;
  /**
   * Continues a prompt, or each of several; their texts are written together.
   * @throws ERR_UNSUPPORTED for a model that writes no text; ERR_INPUT for ids that it does not have, and prompts that leave no
   * position free; ERR_MEMORY where the cache is full and nothing may be evicted.
   */
  generate(prompt: Prompt | readonly Prompt[], options?: GenerateOptions): Promise<Generation[]>;
  /** The tokens of one text as they are written. Leaving the loop early gives the memory back. */
  stream(
    prompt: Prompt,
    options?: GenerateOptions,
  ): AsyncGenerator<GeneratedToken, void, undefined>;
  /**
   * How well the model foresees a text: exp of the mean of −ln p of its ids, each given those before it. Texts longer than the
   * context are read in windows that overlap.
   * @throws ERR_UNSUPPORTED for a model that writes no text; ERR_INPUT for a text of fewer than two ids.
   */
  perplexity(
    text: string | { inputIds: readonly number[] },
    options?: PerplexityOptions,
  ): Promise<Perplexity>;
  /**
   * Reads a prompt and writes what is cached of it, keys and values, to a file that `loadCache` takes up in another process.
   * @throws what `generate` throws; ERR_FILE.
   */
  saveCache(
    prompt: Prompt,
    file: string,
    options?: { signal?: AbortSignal },
  ): Promise<{ tokens: number }>;
  /**
   * Takes up a cache: texts that begin as its prompt do not read that part again, in whole pages of 64 tokens, as long as the
   * memory is not wanted for others. @throws ERR_INPUT for one of another model; ERR_FORMAT, ERR_NOT_FOUND, ERR_FILE, ERR_MEMORY.
   */
  loadCache(file: string): Promise<{ tokens: number }>;
  /** `embed` with the checkpoint's prompt for queries (`query`), or with none where it has none. */
  encodeQuery<P extends Precision = 'float32'>(
    texts: string | readonly string[],
    options?: EmbedOptions<P>,
  ): Promise<Vectors<P>>;
  /** `embed` with the checkpoint's prompt for documents (`document`, `passage` or `corpus`), or with none. */
  encodeDocument<P extends Precision = 'float32'>(
    texts: string | readonly string[],
    options?: EmbedOptions<P>,
  ): Promise<Vectors<P>>;
  /**
   * Documents by how well they answer a query, best first, as a cross-encoder scores each pair.
   * @throws ERR_UNSUPPORTED for a model that is no classifier of one label.
   */
  rerank(query: string, documents: readonly string[], options?: RerankOptions): Promise<Ranked[]>;
  /**
   * How long, in ms, texts of one call wait for those of others to be computed together with while the engine is
   * busy with this model; never while it is idle.
   */
  maxWaitMs: number;
  /** Tensors of the checkpoint that the model does not use, such as those of a head that was not asked for. */
  readonly unusedTensors: readonly string[];
  /** Gives the memory back. Calls that are running end as they would; later ones throw ERR_DISPOSED. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** The parts of an encoder that `load` puts together. */
export interface EncoderParts {
  architecture: string;
  config: Readonly<Record<string, unknown>>;
  encoder: TextEncoder;
  parameters: Parameters;
  tokenizer: AsyncTokenizer | undefined;
  embedding: EmbeddingDefaults;
  backend: Backend;
  maxWaitMs: number | undefined;
  /** Python class of what is done to a cross-encoder's logit, where the folder says it outside config.json. */
  activation: string | undefined;
  unusedTensors: readonly string[];
}

const defaultMaxWaitMs = 2;

/** Tokens in a run of several requests: a whole chunk of a large call, and small requests beside it. */
const batchTokens = 1024;

export class EncoderModel implements Model {
  readonly kind: Model['kind'] = 'encoder';
  readonly architecture: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tokenizer: Tokenizer | undefined;
  readonly unusedTensors: readonly string[];
  private readonly runner: EncoderRunner;
  private readonly batches: RequestBatches;
  private disposed = false;
  /** Calls that have not ended. */
  private calls = 0;

  constructor(protected readonly parts: EncoderParts) {
    this.architecture = parts.architecture;
    this.config = parts.config;
    this.tokenizer = parts.tokenizer?.tokenizer;
    this.unusedTensors = parts.unusedTensors;
    this.runner = new EncoderRunner(parts.encoder, parts.backend);
    this.batches = new RequestBatches(this.runner, {
      maxWaitMs: defaultMaxWaitMs,
      maxTokens: batchTokens,
      enoughTokens: chunkTokens,
    });
    if (parts.maxWaitMs !== undefined) this.maxWaitMs = parts.maxWaitMs;
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

  get maxWaitMs(): number {
    return this.batches.limits.maxWaitMs;
  }

  set maxWaitMs(milliseconds: number) {
    if (!(Number.isFinite(milliseconds) && milliseconds >= 0)) {
      const expected = 'a number of milliseconds from 0';
      throw mismatch('ERR_ARGUMENT', 'maxWaitMs', expected, describeValue(milliseconds));
    }
    this.batches.limits.maxWaitMs = milliseconds;
  }

  async embed<P extends Precision = 'float32'>(
    texts: string | readonly string[],
    options: EmbedOptions<P> = {},
  ): Promise<Vectors<P>> {
    return this.use(() => {
      const { encoder, embedding: defaults } = this.parts;
      const { hiddenSize, maxLength: positions } = encoder;
      const tokenizer = this.tokenizerFor('embed');
      const parts = { tokenizer, batches: this.batches, defaults, hiddenSize, positions };
      return embed<P>(parts, texts, options);
    });
  }

  async generate(_prompt: unknown, _options?: unknown): Promise<Generation[]> {
    throw this.writesNoText();
  }

  // biome-ignore lint/correctness/useYield: it only throws, when the first token is asked for.
  async *stream(
    _prompt: unknown,
    _options?: unknown,
  ): AsyncGenerator<GeneratedToken, void, undefined> {
    throw this.writesNoText();
  }

  async perplexity(_text: unknown, _options?: unknown): Promise<Perplexity> {
    throw this.writesNoText();
  }

  async saveCache(
    _prompt: unknown,
    _file: unknown,
    _options?: unknown,
  ): Promise<{ tokens: number }> {
    throw this.writesNoText();
  }

  async loadCache(_file: unknown): Promise<{ tokens: number }> {
    throw this.writesNoText();
  }

  private writesNoText(): HeddleError {
    const message = `the model ${this.architecture} reads texts and writes none`;
    return new HeddleError('ERR_UNSUPPORTED', message, { found: this.architecture });
  }

  async encodeQuery<P extends Precision = 'float32'>(
    texts: string | readonly string[],
    options: EmbedOptions<P> = {},
  ): Promise<Vectors<P>> {
    return this.embed<P>(texts, promptFor(queryPrompts, this.parts.embedding, options));
  }

  async encodeDocument<P extends Precision = 'float32'>(
    texts: string | readonly string[],
    options: EmbedOptions<P> = {},
  ): Promise<Vectors<P>> {
    return this.embed<P>(texts, promptFor(documentPrompts, this.parts.embedding, options));
  }

  async rerank(
    query: string,
    documents: readonly string[],
    options: RerankOptions = {},
  ): Promise<Ranked[]> {
    return rerank(this, query, documents, options, this.parts.activation);
  }

  /** `runTexts` with this model; see there. */
  async runTexts<R>(
    what: string,
    graph: TextGraph<R>,
    texts: readonly TextInput[],
    options: Omit<TextRunOptions, 'maxLength'> & { maxLength?: number },
    each: (result: R, encoding: CompactEncoding, text: number) => void,
  ): Promise<void> {
    return this.use(() => {
      const parts = { tokenizer: this.tokenizerFor(what), batches: this.batches };
      const maxLength = Math.min(options.maxLength ?? Infinity, this.textLimit);
      const { addSpecialTokens } = this.parts.embedding;
      return runTexts(parts, what, graph, texts, { addSpecialTokens, ...options, maxLength }, each);
    });
  }

  /** Runs a graph on encodings that the caller has made. */
  async runEncodings<R>(
    graph: TextGraph<R>,
    encodings: readonly CompactEncoding[],
    signal?: AbortSignal,
  ): Promise<R[]> {
    return this.use(() => this.batches.submit(graph, encodings, signal));
  }

  /** The encoder of a task that adds to its graph. */
  get encoder(): TextEncoder {
    return this.parts.encoder;
  }

  /** Ids of texts, however many there are, with offsets and words; without special tokens, unless these are asked for. */
  async encodeWhole(
    what: string,
    texts: readonly string[],
    signal?: AbortSignal,
    specialTokens = false,
  ): Promise<CompactEncoding[]> {
    return this.use(() => {
      const addSpecialTokens = specialTokens && (this.parts.embedding.addSpecialTokens ?? true);
      const options = { addSpecialTokens, offsets: true };
      return this.tokenizerFor(what).encodeAll(texts, options, signal);
    });
  }

  /** Tokens of a text that the tokenizer's files allow, whatever a sentence-transformers folder says. */
  get textLimit(): number {
    const { tokenizer, encoder, embedding } = this.parts;
    // A table of token vectors has no positions that could end.
    const room = encoder.maxLength === Infinity ? embedding.maxLength : encoder.maxLength;
    return Math.min(tokenizer?.tokenizer.settings.modelMaxLength ?? Infinity, room);
  }

  dispose(): void {
    this.disposed = true;
    if (this.calls === 0) this.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Counts a call, which keeps the memory until it ends. */
  protected async use<T>(body: () => Promise<T>): Promise<T> {
    const end = this.beginCall();
    try {
      return await body();
    } finally {
      end();
    }
  }

  /** @returns what ends the call. */
  protected beginCall(): () => void {
    if (this.disposed) {
      throw new HeddleError('ERR_DISPOSED', `the model ${this.architecture} was disposed`);
    }
    this.calls++;
    return () => {
      this.calls--;
      if (this.disposed && this.calls === 0) this.release();
    };
  }

  /** Runs that nobody waits for any more may still be ending. */
  protected release(): void {
    this.batches.onIdle(() => {
      this.runner.dispose();
      this.parts.tokenizer?.dispose();
      this.parts.parameters.dispose();
    });
  }

  protected tokenizerFor(what: string): AsyncTokenizer {
    const { tokenizer } = this.parts;
    if (tokenizer) return tokenizer;
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      `${what}: the model has no tokenizer beside its weights (tokenizer.json, or the vocabulary files it is made from); ` +
        'use forward with ids',
    );
  }
}
