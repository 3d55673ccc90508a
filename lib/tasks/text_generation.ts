/** `pipeline('text-generation')`, with the call and result shapes of @huggingface/transformers. */
import { mismatch } from '../errors.js';
import { fieldNames } from '../generation/generation_config.js';
import type { GenerateOptions } from '../generation/options.js';
import { checkOptions, describeValue } from '../graph/options.js';
import type { ChatMessage } from '../text/chat_templates.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { chatNames, type Prompt } from './prompt.js';
import type { TextGenerator } from './text_generator.js';
import type { BaseStreamer } from './text_streamer.js';

export interface GeneratedText {
  generated_text: string;
}

export interface GeneratedChat {
  /** The messages that were given, and the answer. */
  generated_text: ChatMessage[];
}

/** The names of a generation_config.json, and these. */
export interface TextGenerationOptions {
  max_new_tokens?: number;
  /** Ids in all; has no effect beside `max_new_tokens`. */
  max_length?: number;
  do_sample?: boolean;
  temperature?: number;
  top_k?: number;
  top_p?: number;
  min_p?: number;
  typical_p?: number;
  repetition_penalty?: number;
  no_repeat_ngram_size?: number;
  num_beams?: number;
  length_penalty?: number;
  early_stopping?: boolean | 'never';
  num_return_sequences?: number;
  eos_token_id?: number | readonly number[] | null;
  /** Texts that end an answer; they are not part of it. */
  stop_strings?: string | readonly string[];
  /** Whether the prompt is part of `generated_text`; default true. */
  return_full_text?: boolean;
  /** Whether a text gets the tokenizer's special tokens; default true. */
  add_special_tokens?: boolean;
  /** Of a conversation: `tools`, and further variables of the template. */
  tokenizer_encode_kwargs?: Readonly<Record<string, unknown>>;
  /** Shows one text while it is generated. */
  streamer?: BaseStreamer | null;
  seed?: number;
  signal?: AbortSignal;
  [field: string]: unknown;
}

/** For a text or conversation a list of the sequences that it gives; for several a list of these. */
export interface TextGenerationCall {
  (text: string, options?: TextGenerationOptions): Promise<GeneratedText[]>;
  (texts: readonly string[], options?: TextGenerationOptions): Promise<GeneratedText[][]>;
  (messages: readonly ChatMessage[], options?: TextGenerationOptions): Promise<GeneratedChat[]>;
  (
    conversations: readonly (readonly ChatMessage[])[],
    options?: TextGenerationOptions,
  ): Promise<GeneratedChat[][]>;
}

const task = 'text-generation';

const ownNames = [
  'stop_strings',
  'return_full_text',
  'add_special_tokens',
  'tokenizer_encode_kwargs',
  'streamer',
  'seed',
  'signal',
];

/** Taken so that programs run unchanged, and without effect: there is always a cache, and padding is never computed. */
const withoutEffect = ['use_cache', 'pad_token_id', 'return_dict_in_generate'];

const samplingFields = ['temperature', 'top_k', 'top_p', 'min_p', 'typical_p'];

type Given = string | readonly ChatMessage[];

export function textGeneration(
  generator: Pick<TextGenerator, 'generate' | 'stream'> & { kind?: string; architecture?: string },
  tokenizer: Tokenizer,
): TextGenerationCall {
  if (generator.kind === 'encoder') {
    const found = generator.architecture ?? 'a model that reads';
    throw mismatch('ERR_UNSUPPORTED', task, 'a model that writes texts', found);
  }
  const one = async (
    given: Given,
    options: TextGenerationOptions,
  ): Promise<(GeneratedText | GeneratedChat)[]> => {
    const { return_full_text: full = true, add_special_tokens: addSpecialTokens = true } = options;
    const promptIds =
      typeof given === 'string' ? tokenizer.encode(given, { addSpecialTokens }).ids : [];
    const prompt: Prompt =
      typeof given === 'string'
        ? { inputIds: promptIds }
        : chatOf(given, options.tokenizer_encode_kwargs);
    const { streamer } = options;
    const own = generateOptions(options, promptIds.length);
    const found = streamer
      ? await streamed(generator, prompt, promptIds, streamer, own)
      : await generator.generate(prompt, own);
    return found.map(({ ids, text = '' }) => {
      if (typeof given !== 'string') {
        const answer: ChatMessage = { role: 'assistant', content: text };
        return { generated_text: full ? [...given, answer] : [answer] };
      }
      if (!full) return { generated_text: text };
      const decode = (each: readonly number[]): string =>
        tokenizer.decode(each, { skipSpecialTokens: true, skipUnknownIds: true });
      // As one text, for what follows others may be written otherwise than what begins; but a text that was cut is its own.
      const isCut = options.stop_strings !== undefined;
      return { generated_text: isCut ? decode(promptIds) + text : decode([...promptIds, ...ids]) };
    });
  };
  const call = async (inputs: unknown, options: TextGenerationOptions = {}): Promise<unknown> => {
    const known = [...Object.keys(fieldNames), ...ownNames, ...withoutEffect];
    checkOptions(task, options, known);
    const several = textsOf(inputs);
    const { streamer } = options;
    if (streamer && !(typeof streamer.put === 'function' && typeof streamer.end === 'function')) {
      const expected = 'an object with the methods put and end, as TextStreamer';
      throw mismatch('ERR_ARGUMENT', `${task}: streamer`, expected, describeValue(streamer));
    }
    if (streamer && several.length !== 1) {
      throw mismatch('ERR_ARGUMENT', `${task}: streamer`, 'one text', `${several.length}`);
    }
    const results = await Promise.all(several.map((each) => one(each, options)));
    return isSeveral(inputs) ? results : results[0];
  };
  return call as TextGenerationCall;
}

function isSeveral(inputs: unknown): boolean {
  return Array.isArray(inputs) && (typeof inputs[0] === 'string' || Array.isArray(inputs[0]));
}

function textsOf(inputs: unknown): Given[] {
  const list = isSeveral(inputs) ? (inputs as unknown[]) : [inputs];
  for (const each of list) {
    if (typeof each === 'string' || (Array.isArray(each) && each.length > 0)) continue;
    const expected = 'a text, a list of messages, or a list of these';
    throw mismatch('ERR_ARGUMENT', task, expected, describeValue(each));
  }
  return list as Given[];
}

/** Names of a call are those of the template, unless they are options. */
function chatOf(messages: readonly ChatMessage[], given: object = {}): Prompt {
  const snake: Readonly<Record<string, string>> = {
    add_generation_prompt: 'addGenerationPrompt',
    chat_template: 'chatTemplate',
  };
  const options: Record<string, unknown> = {};
  const templateVariables: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const own = snake[name] ?? name;
    if ((chatNames as readonly string[]).includes(own)) options[own] = value;
    else templateVariables[name] = value;
  }
  return { ...options, messages, templateVariables };
}

function generateOptions(options: TextGenerationOptions, promptLength: number): GenerateOptions {
  const result: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(options)) {
    const name = Object.hasOwn(fieldNames, field) ? fieldNames[field]! : undefined;
    // There, options of sampling beside do_sample: false are without effect.
    if (options.do_sample === false && samplingFields.includes(field)) continue;
    if (name !== undefined && name !== 'maxLength' && value !== undefined) result[name] = value;
  }
  if (options.max_length !== undefined && options.max_new_tokens === undefined) {
    result.maxNewTokens = Math.max(1, options.max_length - promptLength);
  }
  if (options.stop_strings !== undefined) result.stop = options.stop_strings;
  if (options.seed !== undefined) result.seed = options.seed;
  if (options.signal !== undefined) result.signal = options.signal;
  return result;
}

async function streamed(
  generator: Pick<TextGenerator, 'stream'>,
  prompt: Prompt,
  promptIds: readonly number[],
  streamer: BaseStreamer,
  options: GenerateOptions,
): Promise<{ ids: number[]; text: string }[]> {
  const ids: number[] = [];
  let text = '';
  streamer.put([promptIds.map(BigInt)]);
  for await (const token of generator.stream(prompt, options)) {
    ids.push(token.id);
    text += token.text ?? '';
    streamer.put([[BigInt(token.id)]]);
  }
  streamer.end();
  return [{ ids, text }];
}
