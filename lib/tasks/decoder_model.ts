import { readGenerationDefaults } from '../generation/generation_config.js';
import type { GenerateOptions, GenerationDefaults } from '../generation/options.js';
import { type Perplexity, type PerplexityOptions, perplexityOf } from '../generation/perplexity.js';
import type { Decoder } from '../models/decoder.js';
import { type CacheOptions, PagedEngine } from '../models/paged_engine.js';
import { StepScheduler } from '../models/step_scheduler.js';
import { pagePositions } from '../ops/index.js';
import type { ChatTemplates } from '../text/chat_templates.js';
import { EncoderModel, type EncoderParts } from './model.js';
import { idsOfPrompt, type Prompt, type PromptReader } from './prompt.js';
import { fingerprintOf, readCache, writeCache } from './saved_cache.js';
import { type GeneratedToken, type Generation, TextGenerator } from './text_generator.js';

/** The parts of a decoder that `load` puts together. */
export interface DecoderModelParts extends EncoderParts {
  readonly encoder: Decoder;
  readonly cache: CacheOptions | undefined;
  readonly chatTemplates: ChatTemplates | undefined;
  /** Of the file that says how the model is sampled; checked when it first writes a text. */
  readonly generation: { fields: Readonly<Record<string, unknown>>; file: string };
}

/** A decoder-only language model. Texts of concurrent calls are written in shared runs of the engine. */
export class DecoderModel extends EncoderModel {
  override readonly kind = 'decoder';
  /** Steps of concurrent texts, and the cache below. */
  readonly steps: StepScheduler;
  readonly engine: PagedEngine;
  private readonly generator: TextGenerator;
  private readonly chatTemplates: ChatTemplates | undefined;
  private known: Promise<string> | undefined;

  constructor({ cache, chatTemplates, generation, ...parts }: DecoderModelParts) {
    super(parts);
    this.chatTemplates = chatTemplates;
    this.engine = new PagedEngine(parts.encoder, parts.backend, cache);
    this.engine.prepare(generation.fields.do_sample === true);
    this.steps = new StepScheduler(this.engine);
    const { vocabSize, maxPositions: contextLength } = this.engine;
    let defaults: GenerationDefaults | undefined;
    this.generator = new TextGenerator({
      engine: this.steps,
      tokenizer: parts.tokenizer,
      chatTemplates,
      vocabSize,
      limits: { vocabSize, contextLength },
      get defaults() {
        defaults ??= readGenerationDefaults(generation.fields, generation.file);
        return defaults;
      },
    });
  }

  override async generate(
    prompt: Prompt | readonly Prompt[],
    options: GenerateOptions = {},
  ): Promise<Generation[]> {
    return this.use(() => this.generator.generate(prompt, options));
  }

  override async *stream(
    prompt: Prompt,
    options: GenerateOptions = {},
  ): AsyncGenerator<GeneratedToken, void, undefined> {
    const end = this.beginCall();
    try {
      yield* this.generator.stream(prompt, options);
    } finally {
      end();
    }
  }

  override async perplexity(
    text: string | { inputIds: readonly number[] },
    options: PerplexityOptions = {},
  ): Promise<Perplexity> {
    return this.use(async () => {
      const { maxPositions, pages } = this.engine;
      const reader = { ...this.promptReader, chatTemplates: undefined };
      const ids = await idsOfPrompt('perplexity', text, reader, options.signal);
      const room = Math.min(maxPositions, pages.total * pagePositions);
      return perplexityOf(this.steps, ids, room, options);
    });
  }

  override async saveCache(
    prompt: Prompt,
    file: string,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<{ tokens: number }> {
    return this.use(async () => {
      const ids = await idsOfPrompt('saveCache', prompt, this.promptReader, signal);
      const sequence = this.engine.begin([], ids.length);
      try {
        await this.steps.step([{ sequence, ids, wantsLogits: false }], { signal });
        await writeCache(file, await this.engine.save(sequence), await this.fingerprint());
        return { tokens: ids.length };
      } finally {
        this.steps.free(sequence);
      }
    });
  }

  override async loadCache(file: string): Promise<{ tokens: number }> {
    return this.use(async () => {
      const saved = await readCache(file, await this.fingerprint());
      // Its pages stay what a text may begin with until their memory is wanted.
      this.engine.free(await this.engine.restore(saved));
      return { tokens: saved.cached };
    });
  }

  private get promptReader(): PromptReader {
    const { tokenizer } = this.parts;
    return { tokenizer, chatTemplates: this.chatTemplates, vocabSize: this.engine.vocabSize };
  }

  private fingerprint(): Promise<string> {
    const { config, parameters, backend } = this.parts;
    this.known ??= fingerprintOf(config, parameters, backend);
    return this.known;
  }

  protected override release(): void {
    this.steps.onIdle(() => {
      this.engine.dispose();
      super.release();
    });
  }
}
