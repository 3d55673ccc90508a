import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  parseToolCalls,
  type ToolCallFormat,
  toolCallFormatOf,
} from '../../lib/text/tool_calls.js';

const weather = { name: 'weather', arguments: { city: 'Köln', days: 3 } };
const time = { name: 'time', arguments: {} };
const given = JSON.stringify(weather.arguments);

const answers: [text: string, content: string, calls: object[]][] = [
  [`<tool_call>\n{"name": "weather", "arguments": ${given}}\n</tool_call>`, '', [weather]],
  [
    `<think>\nhm\n</think>\n\nLet me see.\n<tool_call>\n${JSON.stringify(weather)}\n</tool_call>\n<tool_call>\n{"name": "time"}\n</tool_call>`,
    '<think>\nhm\n</think>\n\nLet me see.',
    [weather, time],
  ],
  [`<tool_call>${JSON.stringify(weather)}`, '', [weather]],
  [
    `<tool_call>{"name": "weather", "arguments": ${JSON.stringify(given)}}</tool_call>`,
    '',
    [weather],
  ],
  [
    `<tool_call>{bad}</tool_call><tool_call>{"name":"time"}</tool_call>`,
    '<tool_call>{bad}</tool_call>',
    [time],
  ],
  [
    `[TOOL_CALLS] [${JSON.stringify(weather)}, {"name": "time", "arguments": {}, "id": "abc123def"}]</s>`,
    '',
    [weather, { ...time, id: 'abc123def' }],
  ],
  [
    `Ok.[TOOL_CALLS]weather[ARGS]${given}[TOOL_CALLS]time[CALL_ID]a1[ARGS]{}`,
    'Ok.',
    [weather, { ...time, id: 'a1' }],
  ],
  [`{"name": "weather", "parameters": ${given}}`, '', [weather]],
  [
    `<|python_tag|>{"type": "function", "name": "weather", "parameters": ${given}}<|eom_id|>`,
    '',
    [weather],
  ],
  [
    `{"name": "weather", "parameters": ${given}}; {"name": "time", "parameters": {}}`,
    '',
    [weather, time],
  ],
  [`{"function": {"name": "time", "arguments": {}}, "id": "x"}`, '', [{ ...time, id: 'x' }]],
];

describe('calls of tools', () => {
  it.each(answers)('%s', (text, content, toolCalls) => {
    expect(parseToolCalls(text)).toEqual({ content, toolCalls });
  });

  it.each([
    'plain',
    '',
    '{"name": 5}',
    '{"a": 1}',
    '{"name": "f", "parameters": [1]}',
    '{"name": ""}',
    '[TOOL_CALLS] what',
    '[TOOL_CALLS]',
    'name[ARGS]{}',
    '<tool_call>',
    '<tool_call>null</tool_call>',
    '{"name": "f", "parameters": {}}; {',
    'a {"name": "f", "parameters": {}}',
  ])('are none in %o', (text) => {
    expect(parseToolCalls(text)).toEqual({ content: text, toolCalls: [] });
  });

  it('are read in one format where it is named', () => {
    const text = `<tool_call>${JSON.stringify(time)}</tool_call>`;
    const found = (format: ToolCallFormat) => parseToolCalls(text, format).toolCalls.length;
    expect([found('hermes'), found('mistral'), found('llama3')]).toEqual([1, 0, 0]);
  });

  it('are found in linear time', () => {
    const many = '<tool_call>{"name":"time"}</tool_call>'.repeat(20_000);
    expect(parseToolCalls(many).toolCalls).toHaveLength(20_000);
    expect(parseToolCalls('<tool_call>'.repeat(50_000)).toolCalls).toEqual([]);
  });
});

describe('toolCallFormatOf', () => {
  it.each([
    ['chatml', 'hermes'],
    ['instructions', 'mistral'],
    ['headers', 'llama3'],
    ['turns', undefined],
  ])('tells how the template %s wants calls: %s', (name, format) => {
    const file = new URL(`../fixtures/chat/templates/${name}.jinja`, import.meta.url);
    expect(toolCallFormatOf(readFileSync(file, 'utf8'))).toBe(format);
  });
});
