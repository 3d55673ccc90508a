import { HeddleError, mismatch } from '../errors.js';
import { checkOptions, describeValue } from '../graph/options.js';
import type { AsyncTokenizer } from '../text/async_tokenizer.js';
import type {
  ChatMessage,
  ChatOptions,
  ChatTemplates,
  ToolCallReader,
} from '../text/chat_templates.js';

/** What a model continues: a text, its ids, or a conversation, which the model's chat template makes a text of. */
export type Prompt = string | { inputIds: readonly number[] } | ChatPrompt;

export interface ChatPrompt extends ChatOptions {
  messages: readonly ChatMessage[];
}

/** What prompts are read with. */
export interface PromptReader {
  readonly tokenizer: AsyncTokenizer | undefined;
  readonly chatTemplates: ChatTemplates | undefined;
  readonly vocabSize: number;
}

export const chatNames = [
  'messages',
  'tools',
  'documents',
  'addGenerationPrompt',
  'chatTemplate',
  'templateVariables',
] as const;

/**
 * The ids of a prompt, one at least.
 * @throws ERR_INPUT for ids outside the vocabulary, and what the template does not take; ERR_ARGUMENT for what is no prompt;
 * ERR_UNSUPPORTED where the model has no tokenizer or template for it.
 */
export async function idsOfPrompt(
  where: string,
  prompt: Prompt,
  reader: PromptReader,
  signal?: AbortSignal,
): Promise<number[]> {
  if (typeof prompt === 'object' && prompt !== null && 'inputIds' in prompt) {
    checkOptions(`${where}: prompt`, prompt, ['inputIds']);
    return checkedIds(where, prompt.inputIds, reader.vocabSize);
  }
  const isText = typeof prompt === 'string';
  if (!isText && !(typeof prompt === 'object' && prompt !== null && 'messages' in prompt)) {
    const expected = 'a text, { inputIds } or { messages }';
    throw mismatch('ERR_ARGUMENT', `${where}: prompt`, expected, describeValue(prompt));
  }
  const { tokenizer } = reader;
  if (tokenizer === undefined) throw needsTokenizer(where, isText ? 'a text' : 'messages');
  const text = isText ? prompt : textOfChat(where, prompt, reader);
  // The special tokens of a conversation are in its template.
  const [encoding] = await tokenizer.encodeAll([text], { addSpecialTokens: isText }, signal);
  const ids = Array.from(encoding!.ids);
  const { bos } = tokenizer.tokenizer.specialIds;
  if (ids.length === 0 && bos !== undefined) ids.push(bos);
  return checkedIds(where, ids, reader.vocabSize);
}

/** What finds calls of the tools that a prompt offers in the answer, where the template shows how they are written. */
export function toolCallReaderFor(
  prompt: Prompt,
  { chatTemplates }: PromptReader,
): ToolCallReader | undefined {
  if (typeof prompt === 'string' || !('messages' in prompt)) return undefined;
  return chatTemplates?.toolCallReader(prompt);
}

function textOfChat(where: string, prompt: ChatPrompt, { chatTemplates }: PromptReader): string {
  checkOptions(`${where}: prompt`, prompt, chatNames);
  if (chatTemplates === undefined) throw needsTokenizer(where, 'messages');
  const { messages, ...options } = prompt;
  return chatTemplates.apply(messages, options);
}

export function needsTokenizer(where: string, what: string): HeddleError {
  const message = `${where}: ${what} cannot be read: the model has no tokenizer.json; give it { inputIds }`;
  return new HeddleError('ERR_UNSUPPORTED', message);
}

function checkedIds(where: string, ids: readonly number[], vocabSize: number): number[] {
  const name = `${where}: prompt`;
  if (!Array.isArray(ids) || ids.length === 0) {
    const found = Array.isArray(ids) ? 'none' : describeValue(ids);
    throw mismatch('ERR_INPUT', name, 'an array of at least one id', found);
  }
  const wrong = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
  if (wrong !== -1) {
    const expected = `an id from 0 to ${vocabSize - 1}`;
    throw mismatch('ERR_INPUT', `${name}[${wrong}]`, expected, describeValue(ids[wrong]));
  }
  return [...ids];
}
