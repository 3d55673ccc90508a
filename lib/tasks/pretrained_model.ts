import { mismatch } from '../errors.js';
import type { GenerateOptions } from '../generation/options.js';
import type { Perplexity, PerplexityOptions } from '../generation/perplexity.js';
import { checkOptions, describeValue } from '../graph/options.js';
import type { NdArray } from '../graph/run.js';
import type { ChoiceInputs } from '../models/choice_inputs.js';
import type { EncoderInputs } from '../models/encoder_inputs.js';
import { callable } from './callable.js';
import type { EmbedOptions } from './embed.js';
import type { EncoderModel, Model } from './model.js';
import type { PretrainedTokenizer } from './pretrained_tokenizer.js';
import type { Prompt } from './prompt.js';
import type { Ranked, RerankOptions } from './rerank.js';
import { ResultTensor, type Tensor } from './result_tensor.js';
import type { GeneratedToken, Generation } from './text_generator.js';
import type { Precision, Vectors } from './vector_precision.js';

type Ids = Tensor | readonly (number | bigint)[] | readonly Ids[];

/** What a tokenizer's call gives, [batch, length]; `attention_mask` is 1 and `token_type_ids` 0 where they are left out. */
export interface ModelInputs {
  input_ids: Ids;
  attention_mask?: Ids | undefined;
  token_type_ids?: Ids | undefined;
  position_ids?: Ids | undefined;
  output_hidden_states?: boolean;
  output_attentions?: boolean;
}

const inputNames = [
  'input_ids',
  'attention_mask',
  'token_type_ids',
  'position_ids',
  'output_hidden_states',
  'output_attentions',
] as const;

/** Those that the model has; the others are not there, though their types say it, so that programs need not ask. 0 where the mask is 0. */
export interface ModelOutputs {
  /** [batch, length, hidden size] */
  last_hidden_state: ResultTensor;
  /** [batch, hidden size] */
  pooler_output: ResultTensor;
  /** [batch, labels], [batch, length, labels] or [batch, length, words]. */
  logits: ResultTensor;
  /** [batch, length] */
  start_logits: ResultTensor;
  end_logits: ResultTensor;
  /** Of the embeddings and every layer: [batch, length, hidden size]. */
  hidden_states: ResultTensor[];
  /** Of every layer: [batch, heads, length, length]. */
  attentions: ResultTensor[];
}

export type ModelCall = (inputs: ModelInputs) => Promise<ModelOutputs>;

/** A `Model` that can be called as those of @huggingface/transformers. */
export type PretrainedModel = CallableModel & ModelCall;

/** Names of `forward`, and those there. */
const outputNames = {
  lastHiddenState: 'last_hidden_state',
  pooled: 'pooler_output',
  logits: 'logits',
  startLogits: 'start_logits',
  endLogits: 'end_logits',
} as const;

/**
 * @param outputs what its calls give, by the names of `forward`.
 * @param tokenizer the model's own, where it has one.
 */
export function pretrainedModel(
  core: EncoderModel,
  outputs: readonly string[],
  tokenizer: PretrainedTokenizer | undefined,
): PretrainedModel {
  const members = new CallableModel(core, outputs, tokenizer);
  return callable((inputs: ModelInputs) => members._call(inputs), members);
}

class CallableModel implements Model {
  constructor(
    private readonly core: EncoderModel,
    private readonly outputs: readonly string[],
    readonly tokenizer: PretrainedTokenizer | undefined,
  ) {}

  /** What calling the model does. @throws ERR_INPUT, ERR_ARGUMENT as `forward`. */
  async _call(inputs: ModelInputs): Promise<ModelOutputs> {
    checkOptions('model', inputs, inputNames);
    const { output_hidden_states: hidden, output_attentions: attentions } = inputs;
    const layers = (kind: string): string[] =>
      this.core.encoder.outputNames.filter((name) => name.startsWith(`${kind}.`));
    const hiddenNames = hidden ? layers('hiddenStates') : [];
    const attentionNames = attentions ? layers('attentions') : [];
    const names = [...this.outputs, ...hiddenNames, ...attentionNames];
    const results = await this.core.forward(this.ownInputs(inputs), { outputs: names });
    const given: Record<string, ResultTensor | ResultTensor[]> = {};
    for (const name of this.outputs) {
      given[outputNames[name as keyof typeof outputNames]] = tensorOf(results[name]);
    }
    if (hidden) given.hidden_states = hiddenNames.map((name) => tensorOf(results[name]));
    if (attentions) given.attentions = attentionNames.map((name) => tensorOf(results[name]));
    return given as unknown as ModelOutputs;
  }

  /** Token types are left out where the model has at most one, as ONNX models leave out inputs that they do not have. */
  private ownInputs(inputs: ModelInputs): EncoderInputs | ChoiceInputs {
    const { typeVocabSize } = this.core.encoder.limits;
    const hasTypes = typeVocabSize > 1 && typeVocabSize !== Infinity;
    const { attention_mask: mask, position_ids: positions, token_type_ids: types } = inputs;
    const depth = this.core.encoder.takesChoices ? 3 : 2;
    const rows = (name: string, given: Ids): unknown => nested(name, given, depth);
    return {
      inputIds: rows('input_ids', inputs.input_ids),
      ...(mask == null ? {} : { attentionMask: rows('attention_mask', mask) }),
      ...(types == null || !hasTypes ? {} : { tokenTypeIds: rows('token_type_ids', types) }),
      ...(positions == null ? {} : { positionIds: rows('position_ids', positions) }),
    } as EncoderInputs | ChoiceInputs;
  }

  get architecture(): string {
    return this.core.architecture;
  }

  get kind(): Model['kind'] {
    return this.core.kind;
  }

  get config(): Readonly<Record<string, unknown>> {
    return this.core.config;
  }

  get parameters(): number {
    return this.core.parameters;
  }

  get maxLength(): number {
    return this.core.maxLength;
  }

  get unusedTensors(): readonly string[] {
    return this.core.unusedTensors;
  }

  get maxWaitMs(): number {
    return this.core.maxWaitMs;
  }

  set maxWaitMs(milliseconds: number) {
    this.core.maxWaitMs = milliseconds;
  }

  forward(
    inputs: EncoderInputs | ChoiceInputs,
    options?: { outputs?: string[]; signal?: AbortSignal },
  ): Promise<Record<string, NdArray>> {
    return this.core.forward(inputs, options);
  }

  embed<P extends Precision = 'float32'>(
    texts: string | readonly string[],
    options?: EmbedOptions<P>,
  ): Promise<Vectors<P>> {
    return this.core.embed<P>(texts, options);
  }

  encodeQuery<P extends Precision = 'float32'>(
    texts: string | readonly string[],
    options?: EmbedOptions<P>,
  ): Promise<Vectors<P>> {
    return this.core.encodeQuery<P>(texts, options);
  }

  encodeDocument<P extends Precision = 'float32'>(
    texts: string | readonly string[],
    options?: EmbedOptions<P>,
  ): Promise<Vectors<P>> {
    return this.core.encodeDocument<P>(texts, options);
  }

  generate(prompt: Prompt | readonly Prompt[], options?: GenerateOptions): Promise<Generation[]> {
    return this.core.generate(prompt, options);
  }

  stream(
    prompt: Prompt,
    options?: GenerateOptions,
  ): AsyncGenerator<GeneratedToken, void, undefined> {
    return this.core.stream(prompt, options);
  }

  perplexity(
    text: string | { inputIds: readonly number[] },
    options?: PerplexityOptions,
  ): Promise<Perplexity> {
    return this.core.perplexity(text, options);
  }

  saveCache(
    prompt: Prompt,
    file: string,
    options?: { signal?: AbortSignal },
  ): Promise<{ tokens: number }> {
    return this.core.saveCache(prompt, file, options);
  }

  loadCache(file: string): Promise<{ tokens: number }> {
    return this.core.loadCache(file);
  }

  rerank(query: string, documents: readonly string[], options?: RerankOptions): Promise<Ranked[]> {
    return this.core.rerank(query, documents, options);
  }

  async dispose(): Promise<void> {
    this.core.dispose();
  }

  [Symbol.dispose](): void {
    this.core.dispose();
  }
}

const tensorOf = ({ data, shape }: NdArray): ResultTensor => ResultTensor.of(data, shape);

/** Nested arrays of numbers; a single row becomes a batch of one. What is in them is `forward`'s to check. */
function nested(name: string, given: Ids, depth: number): unknown {
  const list = given instanceof ResultTensor ? (given.tolist() as readonly Ids[]) : given;
  if (!Array.isArray(list)) {
    throw mismatch('ERR_INPUT', name, 'a tensor, or nested arrays of ids', describeValue(list));
  }
  const numbers = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(numbers);
    return typeof value === 'bigint' ? Number(value) : value;
  };
  const isRow = depth === 2 && list.length > 0 && !Array.isArray(list[0]);
  return numbers(isRow ? [list] : list);
}
