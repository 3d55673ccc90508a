import {
  type FinishReason,
  type GeneratedSequence,
  generateSequences,
  generateTokens,
  type TextEnd,
} from '../generation/generate.js';
import { generateBeams } from '../generation/generate_beams.js';
import type { TokenLogprob } from '../generation/log_probabilities.js';
import type { GenerateOptions, GenerationDefaults } from '../generation/options.js';
import {
  checkOptionsOf,
  type GenerationLimits,
  type GenerationSettings,
  settingsFor,
} from '../generation/settings.js';
import type { DecoderEngine } from '../models/decoder_engine.js';
import type { ToolCallReader } from '../text/chat_templates.js';
import type { GeneratedText } from '../text/generated_text.js';
import type { ToolCall } from '../text/tool_calls.js';
import {
  idsOfPrompt,
  needsTokenizer,
  type Prompt,
  type PromptReader,
  toolCallReaderFor,
} from './prompt.js';

export interface Generation {
  /** The new ids, that which ended them among them. */
  ids: readonly number[];
  /** Their text without special tokens, up to a string that `stop` names. Absent where the model has no tokenizer. */
  text?: string;
  /** Of beam search. */
  score?: number;
  /** Where `logprobs` asks for them. */
  logprobs?: readonly TokenLogprob[];
  /** Calls of the prompt's tools that the text holds, perhaps none; where the chat template shows how they are written. */
  toolCalls?: readonly ToolCall[];
  finishReason: FinishReason;
  /** Ids of the prompt. */
  promptTokens: number;
}

export interface GeneratedToken {
  id: number;
  /** The text that is certain with this id; whole characters, often none. */
  text?: string;
  logprob?: number;
  alternatives?: TokenLogprob['alternatives'];
  /** As of a `Generation`; of the last token. */
  toolCalls?: readonly ToolCall[];
  /** Of the last token. */
  finishReason?: FinishReason;
  /** Ids of the prompt; of the last token. */
  promptTokens?: number;
}

/** What `TextGenerator` needs of a model. */
export interface GeneratorParts extends PromptReader {
  readonly engine: DecoderEngine;
  readonly limits: GenerationLimits;
  /** What the checkpoint says of how it is sampled. */
  readonly defaults: GenerationDefaults;
}

/** `generate` and `stream` of a model: prompts, options and text around a decoder's engine. */
export class TextGenerator {
  constructor(private readonly parts: GeneratorParts) {}

  /**
   * Continues prompts; all at once.
   * @returns a generation for each prompt and returned sequence, in order.
   * @throws ERR_ARGUMENT, ERR_INPUT, naming the option or prompt; ERR_ENGINE for logits that are no numbers; `signal.reason`.
   */
  async generate(
    prompts: Prompt | readonly Prompt[],
    options: GenerateOptions = {},
  ): Promise<Generation[]> {
    const { parts } = this;
    const given = checkOptionsOf('generate', options, parts.limits);
    const list = Array.isArray(prompts) ? (prompts as readonly Prompt[]) : [prompts as Prompt];
    const reports = progressOfAll(list.length, given.onProgress);
    const abort = new AbortController();
    const signal = given.signal ? AbortSignal.any([given.signal, abort.signal]) : abort.signal;
    const all = await Promise.all(
      list.map(async (prompt) => {
        given.signal?.throwIfAborted();
        return idsOfPrompt('generate', prompt, parts, given.signal);
      }),
    );
    const settings = all.map((ids, i) => ({
      ...settingsFor('generate', given, parts.defaults, parts.limits, ids.length),
      onProgress: reports[i],
      signal,
    }));
    const runs = all.map((ids, i) =>
      this.continue(ids, settings[i]!, toolCallReaderFor(list[i]!, parts)),
    );
    try {
      return (await Promise.all(runs)).flat();
    } catch (error) {
      abort.abort(error); // the other prompts' texts are not wanted any more
      await Promise.allSettled(runs);
      throw error;
    }
  }

  /**
   * Continues one prompt, token by token. Leaving the loop ends the run and frees what it holds.
   * @throws as `generate`.
   */
  async *stream(
    prompt: Prompt,
    options: GenerateOptions = {},
  ): AsyncGenerator<GeneratedToken, void, undefined> {
    const { parts } = this;
    const given = checkOptionsOf('stream', options, parts.limits);
    given.signal?.throwIfAborted();
    const ids = await idsOfPrompt('stream', prompt, parts, given.signal);
    const settings = settingsFor('stream', given, parts.defaults, parts.limits, ids.length);
    const [text] = this.textsOf(settings, 1);
    let piece = '';
    const textEnd: TextEnd = (id) => {
      piece = text?.push(id) ?? '';
      return text?.stopped === true;
    };
    const ends = text === undefined ? [] : [textEnd];
    const readCalls = toolCallReaderFor(prompt, parts);
    const made: number[] = [];
    for await (const token of generateTokens(parts.engine, ids, settings, ends)) {
      const { id, logprob, finishReason } = token;
      if (readCalls !== undefined) made.push(id);
      // An end-of-sequence id ends the text before it is asked.
      let shown = settings.eosTokenIds.includes(id) ? (text?.push(id) ?? '') : piece;
      if (finishReason !== undefined) shown += text?.finish() ?? '';
      yield {
        id,
        ...(text !== undefined && { text: shown }),
        ...(logprob && { logprob: logprob.logprob, alternatives: logprob.alternatives }),
        ...(finishReason && {
          ...this.toolCallsOf(made, settings, readCalls),
          finishReason,
          promptTokens: ids.length,
        }),
      };
    }
  }

  private async continue(
    ids: readonly number[],
    settings: GenerationSettings,
    readCalls: ToolCallReader | undefined,
  ): Promise<Generation[]> {
    const { engine } = this.parts;
    let sequences: GeneratedSequence[];
    if (settings.numBeams > 1) {
      sequences = await generateBeams(engine, ids, settings, this.beamEnd(ids.length, settings));
    } else {
      const texts =
        settings.stop.length > 0 ? this.textsOf(settings, settings.numReturnSequences) : [];
      const ends = texts.map((text) => (id: number) => {
        text.push(id);
        return text.stopped;
      });
      sequences = await generateSequences(engine, ids, settings, ends);
    }
    return sequences.map((sequence) => {
      const [text] = this.textsOf(settings, 1);
      const whole = text && sequence.ids.map((id) => text.push(id)).join('') + text.finish();
      return {
        ...sequence,
        ...(text && { text: whole! }),
        ...this.toolCallsOf(sequence.ids, settings, readCalls),
        promptTokens: ids.length,
      };
    });
  }

  private toolCallsOf(
    ids: readonly number[],
    { eosTokenIds }: GenerationSettings,
    readCalls: ToolCallReader | undefined,
  ): { toolCalls?: readonly ToolCall[] } {
    if (readCalls === undefined) return {};
    const answer = eosTokenIds.includes(ids.at(-1)!) ? ids.slice(0, -1) : ids;
    // The marks of some are special tokens, which `text` is without.
    const text = this.tokenizerFor('tools').tokenizer.decode(answer, { skipUnknownIds: true });
    return { toolCalls: readCalls(text) };
  }

  /** Whether the text of a beam's new ids holds a stop string; the last ids are enough, as it would have ended before. */
  private beamEnd(
    promptLength: number,
    { stop }: GenerationSettings,
  ): ((ids: readonly number[]) => boolean) | undefined {
    if (stop.length === 0) return undefined;
    const { tokenizer } = this.tokenizerFor('stop');
    const window = 16 + 4 * Math.max(...stop.map(({ length }) => length));
    return (ids) => {
      const last = ids.slice(Math.max(promptLength, ids.length - window));
      const text = tokenizer.decode(last, { skipSpecialTokens: true, skipUnknownIds: true });
      return stop.some((each) => text.includes(each));
    };
  }

  /** None where the model has no tokenizer. */
  private textsOf({ stop }: GenerationSettings, count: number): GeneratedText[] {
    if (this.parts.tokenizer === undefined && stop.length === 0) return [];
    const { tokenizer } = this.tokenizerFor('stop');
    return Array.from({ length: count }, () =>
      tokenizer.decodeUntil(stop, { skipSpecialTokens: true, skipUnknownIds: true }),
    );
  }

  private tokenizerFor(what: string): NonNullable<PromptReader['tokenizer']> {
    const { tokenizer } = this.parts;
    if (tokenizer === undefined) throw needsTokenizer('generate', what);
    return tokenizer;
  }
}

/** For each prompt a report that adds the tokens of all. */
function progressOfAll(
  count: number,
  report: GenerateOptions['onProgress'],
): GenerateOptions['onProgress'][] {
  if (report === undefined) return new Array(count).fill(undefined);
  const tokens = new Array<number>(count).fill(0);
  return tokens.map((_, i) => (progress) => {
    tokens[i] = progress.tokens;
    report({ tokens: tokens.reduce((sum, each) => sum + each, 0) });
  });
}
