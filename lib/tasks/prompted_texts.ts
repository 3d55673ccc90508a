import { HeddleError, mismatch } from '../errors.js';

/** What sentence-transformers does to texts before they are tokenised. */
export interface TextPreparation {
  /** Put before texts, by name. */
  prompts: ReadonlyMap<string, string>;
  defaultPrompt: string | undefined;
  lowerCase: boolean;
}

/**
 * The prompt that the caller wants: `prompt` as it is, else the one named, else the default one; '' for none.
 * @throws ERR_ARGUMENT for a name that the checkpoint does not have.
 */
export function choosePrompt(
  { prompts, defaultPrompt }: TextPreparation,
  options: { prompt?: string; promptName?: string },
): string {
  if (options.prompt !== undefined) {
    if (typeof options.prompt === 'string') return options.prompt;
    throw mismatch('ERR_ARGUMENT', 'embed: prompt', 'a string', typeof options.prompt);
  }
  const name = options.promptName ?? defaultPrompt;
  if (name === undefined) return '';
  const prompt = prompts.get(name);
  if (prompt !== undefined) return prompt;
  const names = [...prompts.keys()].join(', ') || 'none, as the checkpoint has no prompts';
  throw new HeddleError(
    'ERR_ARGUMENT',
    `embed: promptName: expected one of ${names}; found '${name}'`,
  );
}

/** Names of prompts for a side of a search, in the order in which they are looked for, as sentence-transformers does. */
export const queryPrompts = ['query'] as const;
export const documentPrompts = ['document', 'passage', 'corpus'] as const;

/**
 * Options with the first of these prompts that the checkpoint has; where it has none, without a prompt, also not
 * the default one. Options that name a prompt stay as they are.
 */
export function promptFor<T extends { prompt?: string; promptName?: string }>(
  names: readonly string[],
  { prompts }: TextPreparation,
  options: T,
): T {
  if (options?.prompt !== undefined || options?.promptName !== undefined) return options;
  const promptName = names.find((name) => prompts.has(name));
  return promptName === undefined ? { ...options, prompt: '' } : { ...options, promptName };
}

/** The text that is tokenised: the prompt before the text, without white space around both, perhaps in lower case. */
export function prepareText(text: string, prompt: string, lowerCase: boolean): string {
  const stripped = strip(prompt + text);
  return lowerCase ? stripped.toLowerCase() : stripped;
}

/** White space as Python's str.strip sees it, which differs from String.trim's in control characters and U+FEFF. */
const space = new Set(
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a' +
    '\u2028\u2029\u202f\u205f\u3000',
);

function strip(text: string): string {
  let begin = 0;
  let end = text.length;
  while (begin < end && space.has(text[begin])) begin++;
  while (end > begin && space.has(text[end - 1])) end--;
  return text.slice(begin, end);
}
