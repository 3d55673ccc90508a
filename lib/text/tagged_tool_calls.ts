/** Calls of tools whose arguments stand between tags, each as plain text. */
import { argumentOf, type Fields, parameterTypes } from './argument_types.js';
import type { ParsedAnswer, ToolCall } from './tool_calls.js';

/** The marks of a kind of calls. */
interface Tags {
  /** From the start of a call to its name, which is searched for; the others are tried in one place. */
  readonly call: RegExp;
  /** Before a value, with its name. */
  readonly argument: RegExp;
  /** The first behind which something stands that may follow a value: such marks may be in values too. */
  readonly valueEnd: RegExp;
  readonly callEnd: RegExp;
  readonly valueOf: (text: string) => string;
  readonly whenUnknown: 'json' | 'text';
}

/** Names are short, and a mark that never ends is not looked through again and again. */
const name = '([^<>\\s{}]{1,256})';

/**
 * `<tool_call><function=name><parameter=key>value</parameter></function></tool_call>` (Qwen3-Coder, Qwen3.5), a value between line
 * breaks that are not its own. Models leave `<tool_call>` out at times.
 */
const qwen3Coder: Tags = {
  call: new RegExp(`(?:<tool_call>\\s*)?<function=${name}>`, 'g'),
  argument: new RegExp(`\\s*<parameter=${name}>`, 'y'),
  valueEnd: /<\/parameter>(?=\s*(?:<parameter=|<\/function>))/g,
  callEnd: /\s*<\/function>(?:\s*<\/tool_call>)?/y,
  valueOf: (text) => text.replace(/^\r?\n/, '').replace(/\r?\n$/, ''),
  whenUnknown: 'text',
};

/** `<tool_call>name<arg_key>key</arg_key><arg_value>value</arg_value></tool_call>` (GLM-4.5), with or without line breaks between. */
const glm45: Tags = {
  call: new RegExp(`<tool_call>\\s*${name}(?=\\s*<(?:arg_key>|/tool_call>))`, 'g'),
  argument: new RegExp(`\\s*<arg_key>\\s*${name}\\s*</arg_key>\\s*<arg_value>`, 'y'),
  valueEnd: /<\/arg_value>(?=\s*<(?:arg_key>|\/tool_call>))/g,
  callEnd: /\s*<\/tool_call>/y,
  valueOf: (text) => text,
  whenUnknown: 'json',
};

type Reader = (text: string, tools: readonly Fields[]) => ParsedAnswer | undefined;

export const readQwen3Coder: Reader = (text, tools) => read(text, tools, qwen3Coder);
export const readGlm45: Reader = (text, tools) => read(text, tools, glm45);

function read(text: string, tools: readonly Fields[], tags: Tags): ParsedAnswer | undefined {
  const toolCalls: ToolCall[] = [];
  let content = '';
  let from = 0;
  // Where a value does not end, none behind it does: they are not looked for again.
  const lastEnd = lastMatch(tags.valueEnd, text);
  for (;;) {
    const head = matchAt(tags.call, text, from);
    if (head === null) break;
    const { call, end } = readCall(text, head, tools, tags, lastEnd);
    content += text.slice(from, call === undefined ? end : head.index);
    if (call !== undefined) toolCalls.push(call);
    from = end;
  }
  content += text.slice(from);
  return toolCalls.length === 0 ? undefined : { content: content.trim(), toolCalls };
}

/** @returns undefined where it is none, and in any case how far was read: nothing is read twice. */
function readCall(
  text: string,
  head: RegExpExecArray,
  tools: readonly Fields[],
  tags: Tags,
  lastEnd: number,
): { call: ToolCall | undefined; end: number } {
  const called = head[1]!;
  const typesOf = parameterTypes(called, tools);
  const given: [string, unknown][] = [];
  let at = head.index + head[0].length;
  for (;;) {
    const argument = matchAt(tags.argument, text, at);
    if (argument === null) break;
    const begin = at + argument[0].length;
    const end = begin > lastEnd ? null : matchAt(tags.valueEnd, text, begin);
    if (end === null) return { call: undefined, end: begin };
    const key = argument[1]!;
    const value = tags.valueOf(text.slice(begin, end.index));
    given.push([key, argumentOf(value, typesOf(key), tags.whenUnknown)]);
    at = end.index + end[0].length;
  }
  const close = matchAt(tags.callEnd, text, at);
  if (close === null) return { call: undefined, end: at };
  const call = { name: called, arguments: Object.fromEntries(given) };
  return { call, end: at + close[0].length };
}

/** Where the last match is; −1 for none. */
function lastMatch(pattern: RegExp, text: string): number {
  let last = -1;
  pattern.lastIndex = 0;
  for (const { index } of text.matchAll(pattern)) last = index;
  return last;
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
