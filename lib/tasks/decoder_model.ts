import { mismatch } from '../errors.js';
import { checkOptions, checkSizes, describeValue } from '../graph/options.js';
import type { Decoder } from '../models/decoder.js';
import { type CacheOptions, PagedEngine } from '../models/paged_engine.js';
import { StepScheduler } from '../models/step_scheduler.js';
import type { GeneratedToken, GenerateOptions, Generation, Prompt } from './generation.js';
import { greedyTokens } from './greedy.js';
import { EncoderModel, type EncoderParts } from './model.js';

const optionNames: readonly (keyof GenerateOptions)[] = ['maxNewTokens', 'eosTokenId', 'signal'];
const defaultMaxNewTokens = 256;

/** The parts of a decoder that `load` puts together. */
export interface DecoderModelParts extends EncoderParts {
  readonly encoder: Decoder;
  readonly cache: CacheOptions | undefined;
}

/** A decoder-only language model. Texts of concurrent calls are written in shared runs of the engine. */
export class DecoderModel extends EncoderModel {
  override readonly kind = 'decoder';
  /** Steps of concurrent texts, and the cache below. */
  readonly steps: StepScheduler;
  readonly engine: PagedEngine;

  constructor({ cache, ...parts }: DecoderModelParts) {
    super(parts);
    this.engine = new PagedEngine(parts.encoder, parts.backend, cache);
    this.steps = new StepScheduler(this.engine);
  }

  override async generate(
    prompt: Prompt | readonly Prompt[],
    options: GenerateOptions = {},
  ): Promise<Generation[]> {
    const prompts = Array.isArray(prompt) ? (prompt as readonly Prompt[]) : [prompt as Prompt];
    return this.use(async () => {
      const rows = await Promise.all(prompts.map((each) => this.idsOf(each, options)));
      const settings = rows.map((ids) => this.settingsFor(ids, options));
      const abort = new AbortController();
      const signal = options.signal
        ? AbortSignal.any([options.signal, abort.signal])
        : abort.signal;
      const texts = rows.map((ids, i) => this.write(ids, { ...settings[i], signal }));
      try {
        return await Promise.all(texts);
      } catch (error) {
        abort.abort(error); // the other prompts' texts are not wanted any more
        await Promise.allSettled(texts);
        throw error;
      }
    });
  }

  override async *stream(
    prompt: Prompt,
    options: GenerateOptions = {},
  ): AsyncGenerator<GeneratedToken, void, undefined> {
    const ids = await this.use(() => this.idsOf(prompt, options));
    const settings = this.settingsFor(ids, options);
    for await (const { id } of greedyTokens(this.steps, ids, settings)) yield { id };
  }

  private async write(
    prompt: readonly number[],
    settings: Parameters<typeof greedyTokens>[2],
  ): Promise<Generation> {
    const ids: number[] = [];
    let finishReason: Generation['finishReason'] = 'length';
    for await (const { id, ends } of greedyTokens(this.steps, prompt, settings)) {
      ids.push(id);
      if (ends) finishReason = 'stop';
    }
    const text = this.tokenizer?.decode(ids, { skipSpecialTokens: true });
    return { ids, finishReason, ...(text === undefined ? {} : { text }) };
  }

  private async idsOf(prompt: Prompt, { signal }: GenerateOptions): Promise<readonly number[]> {
    if (typeof prompt === 'string') {
      const tokenizer = this.tokenizerFor('generate');
      const [encoding] = await tokenizer.encodeAll([prompt], {}, signal);
      return Array.from(encoding.ids);
    }
    if (Array.isArray(prompt?.inputIds)) return prompt.inputIds as readonly number[];
    const expected = 'a text, or an object with inputIds';
    throw mismatch('ERR_INPUT', 'generate: prompt', expected, describeValue(prompt));
  }

  private settingsFor(ids: readonly number[], options: GenerateOptions) {
    checkOptions('generate', options, optionNames);
    const { maxNewTokens = defaultMaxNewTokens, eosTokenId, signal } = options;
    checkSizes('generate', { maxNewTokens });
    const room = this.engine.maxPositions - ids.length;
    if (ids.length === 0 || room <= 0) {
      const expected = `1 to ${this.engine.maxPositions - 1} ids, fewer than the model has positions`;
      throw mismatch('ERR_INPUT', 'generate: prompt', expected, `${ids.length}`);
    }
    const given = eosTokenId === undefined ? this.config.eos_token_id : eosTokenId;
    const eosTokenIds = [given ?? []].flat() as number[];
    const wrong = eosTokenIds.find((id) => !Number.isInteger(id));
    if (wrong !== undefined) {
      throw mismatch('ERR_ARGUMENT', 'generate: eosTokenId', 'ids, or null', describeValue(wrong));
    }
    return { maxNewTokens: Math.min(maxNewTokens, room), eosTokenIds, signal };
  }

  protected override release(): void {
    this.steps.onIdle(() => {
      this.engine.dispose();
      super.release();
    });
  }
}
