/** Calls of tools in what a model answered. */
import { type Fields, isFields } from './argument_types.js';
import { readGlm45, readQwen3Coder } from './tagged_tool_calls.js';

export interface ToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Where the model gave one. */
  readonly id?: string;
}

export interface ParsedAnswer {
  /** The answer without its calls. */
  readonly content: string;
  readonly toolCalls: readonly ToolCall[];
}

/**
 * How models write calls: `<tool_call>{…}</tool_call>` (Hermes, Qwen), `<tool_call><function=name><parameter=key>value…`
 * (Qwen3-Coder), `<tool_call>name<arg_key>key</arg_key><arg_value>value…` (GLM-4.5), `[TOOL_CALLS][{…}]` or `[TOOL_CALLS]name[ARGS]{…}`
 * (Mistral), or an answer that is one JSON object with `name` and `parameters`, after `<|python_tag|>` or alone (Llama 3.1).
 */
export type ToolCallFormat = 'hermes' | 'qwen3Coder' | 'glm45' | 'mistral' | 'llama3';

/** What the templates of each kind hold, to show the model how it called before or to tell it how to. */
const formatMarks: readonly [mark: string, format: ToolCallFormat][] = [
  ['<function=', 'qwen3Coder'],
  ['<arg_key>', 'glm45'],
  ['<tool_call>', 'hermes'],
  ['[TOOL_CALLS]', 'mistral'],
  ['<|python_tag|>', 'llama3'],
  ['"parameters": ', 'llama3'],
];

/** How the models that a chat template is for write calls, undefined where it does not show; by the marks in its source. */
export function toolCallFormatOf(template: string): ToolCallFormat | undefined {
  return formatMarks.find(([mark]) => template.includes(mark))?.[1];
}

/**
 * Takes the calls out of an answer. What looks like a call and cannot be read stays in the content.
 * @param text as decoded with special tokens, where the marks are such (Mistral, Llama 3.1).
 * @param format default: whichever the answer is in.
 * @param tools as the chat template was given them: by the JSON Schema of their parameters the texts between tags become numbers,
 * objects and so on. Where a text is not what its schema admits, it stays a text.
 */
export function parseToolCalls(
  text: string,
  format?: ToolCallFormat,
  tools: readonly Fields[] = [],
): ParsedAnswer {
  const tried = format === undefined ? formatNames.filter(showsIn(text)) : [format];
  for (const each of tried) {
    const parsed = formats[each](text, tools);
    if (parsed !== undefined) return parsed;
  }
  return { content: text, toolCalls: [] };
}

/** Each gives undefined for an answer without calls of its kind. */
const formats: Readonly<
  Record<ToolCallFormat, (text: string, tools: readonly Fields[]) => ParsedAnswer | undefined>
> = {
  hermes,
  qwen3Coder: readQwen3Coder,
  glm45: readGlm45,
  mistral,
  llama3,
};

const formatNames = Object.keys(formats) as ToolCallFormat[];

/** Whether an answer of an unknown format may be in this one: between `<tool_call>`, any word alone is a call as GLM-4.5 writes it. */
const showsIn =
  (text: string) =>
  (format: ToolCallFormat): boolean =>
    format !== 'glm45' || text.includes('<arg_key>');

function hermes(text: string): ParsedAnswer | undefined {
  const [open, close] = ['<tool_call>', '</tool_call>'];
  const toolCalls: ToolCall[] = [];
  let content = '';
  let from = 0;
  for (;;) {
    const at = text.indexOf(open, from);
    if (at === -1) break;
    const begin = at + open.length;
    const found = text.indexOf(close, begin);
    // A model that ends with its last call may leave the end mark out.
    const end = found === -1 ? text.length : found;
    const call = callOf(json(text.slice(begin, end)));
    const after = Math.min(end + close.length, text.length);
    content += text.slice(from, call === undefined ? after : at);
    if (call !== undefined) toolCalls.push(call);
    from = after;
  }
  content += text.slice(from);
  return toolCalls.length === 0 ? undefined : { content: content.trim(), toolCalls };
}

function mistral(text: string): ParsedAnswer | undefined {
  const mark = '[TOOL_CALLS]';
  const at = text.indexOf(mark);
  if (at === -1) return undefined;
  const parts = text
    .slice(at)
    .split(mark)
    .slice(1)
    .map((part) => part.trim().replace(/<\/s>$/, ''));
  const toolCalls: ToolCall[] = [];
  for (const part of parts) {
    const calls = namedCall(part) ?? listOf(json(part)).map(callOf);
    if (calls.length === 0 || calls.includes(undefined)) return undefined;
    toolCalls.push(...(calls as ToolCall[]));
  }
  return { content: text.slice(0, at).trim(), toolCalls };
}

/** `name[ARGS]{…}`, with `[CALL_ID]id` between them or not. */
function namedCall(part: string): (ToolCall | undefined)[] | undefined {
  const found = /^([\w.-]+)(?:\[CALL_ID\]([\w-]+))?\[ARGS\]/.exec(part);
  if (found === null) return undefined;
  const [head, name, id] = found;
  const given = json(part.slice(head.length));
  return [callOf({ name, arguments: given, ...(id !== undefined && { id }) })];
}

function llama3(text: string): ParsedAnswer | undefined {
  const bare = text
    .trim()
    .replace(/^<\|python_tag\|>/, '')
    .replace(/<\|e(ot|om)_id\|>$/, '');
  if (!bare.startsWith('{')) return undefined;
  // Several calls are divided by semicolons.
  const whole = callOf(json(bare));
  const calls =
    whole === undefined ? splitObjects(bare).map((each) => callOf(json(each))) : [whole];
  if (calls.length === 0 || calls.includes(undefined)) return undefined;
  return { content: '', toolCalls: calls as ToolCall[] };
}

/** Texts of objects that are divided by semicolons outside of their braces and strings. */
function splitObjects(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let inString = false;
  let begin = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text[i];
    if (inString) {
      if (unit === '\\') i++;
      else if (unit === '"') inString = false;
    } else if (unit === '"') inString = true;
    else if (unit === '{') depth++;
    else if (unit === '}') depth--;
    else if (unit === ';' && depth === 0) {
      parts.push(text.slice(begin, i));
      begin = i + 1;
    }
  }
  return [...parts, text.slice(begin)].filter((part) => part.trim() !== '');
}

/** A call as JSON has it: `arguments` or `parameters`, an object or the text of one; in `function` or not. */
function callOf(value: unknown): ToolCall | undefined {
  if (!isFields(value)) return undefined;
  const inner = isFields(value.function) ? value.function : value;
  const { name } = inner;
  const given = inner.arguments ?? inner.parameters ?? {};
  const parsed = typeof given === 'string' ? json(given) : given;
  if (typeof name !== 'string' || name === '' || !isFields(parsed)) return undefined;
  return { name, arguments: parsed, ...(typeof value.id === 'string' && { id: value.id }) };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);
