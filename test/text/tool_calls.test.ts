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

const tools = [
  {
    type: 'function',
    function: {
      name: 'weather',
      parameters: {
        type: 'object',
        properties: {
          city: { type: 'string' },
          days: { type: 'integer' },
          factor: { type: 'number' },
          hourly: { type: 'boolean' },
          where: { $ref: '#/$defs/Place' },
          units: { enum: ['metric', 'imperial'] },
          level: { enum: [1, 2, 'high'] },
          note: { anyOf: [{ type: 'string' }, { type: 'null' }] },
          tags: { type: ['array', 'null'], items: { type: 'string' } },
          any: {},
          deep: { $ref: '#/$defs/Loop' },
        },
        $defs: {
          Place: { type: 'object', properties: { lat: { type: 'number' } } },
          Loop: { anyOf: Array.from({ length: 10 }, () => ({ $ref: '#/$defs/Loop' })) },
        },
      },
    },
  },
  { name: 'time', parameters: { type: 'object', properties: {} } },
];

const typed: [key: string, text: string, value: unknown][] = [
  ['city', 'Köln', 'Köln'],
  ['city', '5', '5'],
  ['city', 'null', 'null'],
  ['city', '"quoted"', '"quoted"'],
  ['city', ' two  spaces ', ' two  spaces '],
  ['city', '', ''],
  ['days', '3', 3],
  ['days', ' -3 ', -3],
  ['days', '3.5', '3.5'],
  ['days', '"3"', '"3"'],
  ['days', 'three', 'three'],
  ['days', '1e400', '1e400'],
  ['factor', '3', 3],
  ['factor', '0.25', 0.25],
  ['hourly', 'true', true],
  ['hourly', 'False', false],
  ['hourly', 'yes', 'yes'],
  ['where', '{"lat": 50.9}', { lat: 50.9 }],
  ['where', '{"lat": 50.9', '{"lat": 50.9'],
  ['units', 'metric', 'metric'],
  ['level', '2', 2],
  ['level', 'high', 'high'],
  ['note', 'null', null],
  ['note', 'None', null],
  ['note', '5', '5'],
  ['tags', '["a", "b"]', ['a', 'b']],
  ['tags', 'None', null],
  ['__proto__', 'x', 'x'],
];

const tagged: [
  format: ToolCallFormat,
  write: (name: string, given: [string, string][]) => string,
][] = [
  [
    'qwen3Coder',
    (name, given) =>
      `<tool_call>\n<function=${name}>\n${given
        .map(([key, text]) => `<parameter=${key}>\n${text}\n</parameter>\n`)
        .join('')}</function>\n</tool_call>`,
  ],
  [
    'glm45',
    (name, given) =>
      `<tool_call>${name}\n${given
        .map(([key, text]) => `<arg_key>${key}</arg_key>\n<arg_value>${text}</arg_value>\n`)
        .join('')}</tool_call>`,
  ],
];

describe.each(tagged)('calls between tags: %s', (format, write) => {
  it.each(typed)('of %s: %o', (key, text, value) => {
    const answer = `Hm.\n${write('weather', [[key, text]])}`;
    const { content, toolCalls } = parseToolCalls(answer, format, tools);
    expect(content).toBe('Hm.');
    expect(toolCalls).toHaveLength(1);
    expect(Object.entries(toolCalls[0]!.arguments)).toEqual([[key, value]]);
  });

  it('are found without the format, several, with and without arguments', () => {
    const given: [string, string][] = [
      ['city', 'Köln'],
      ['days', '3'],
    ];
    const answer = `${write('weather', given)}\n${write('time', [])}`;
    expect(parseToolCalls(answer, undefined, tools)).toEqual({
      content: '',
      toolCalls: [weather, time],
    });
  });

  it('are read where tools are not what they should be', () => {
    const odd = [null, 5, {}, { name: 'weather', parameters: { properties: [] } }] as never;
    const { toolCalls } = parseToolCalls(write('weather', [['city', 'Köln']]), format, odd);
    expect(toolCalls).toEqual([{ name: 'weather', arguments: { city: 'Köln' } }]);
  });

  it('keep marks and lines of a text', () => {
    const code =
      '\n  if (a) {\n<tool_call></tool_call></parameter>x</arg_value>y</function>\n}\n\n';
    const { toolCalls } = parseToolCalls(write('weather', [['city', code]]), format, tools);
    expect(toolCalls).toEqual([{ name: 'weather', arguments: { city: code } }]);
  });

  it('are none before they are whole', () => {
    const answer = write('weather', [
      ['city', 'Köln'],
      ['days', '30'],
    ]);
    const close = { qwen3Coder: '</function>', glm45: '</tool_call>' }[format as 'glm45'];
    for (let length = 0; length < answer.length; length++) {
      const text = answer.slice(0, length);
      const expected = text.includes(close) ? 1 : 0;
      expect(parseToolCalls(text, format, tools).toolCalls).toHaveLength(expected);
    }
  });

  it('that cannot be read stay in the content, and others are read', () => {
    const broken = write('weather', [['city', 'a']]).replace(
      /<\/(function|tool_call)>[\s\S]*/,
      '<bad>',
    );
    const found = parseToolCalls(`${broken}${write('time', [])}`, format, tools);
    expect(found).toEqual({ content: broken, toolCalls: [time] });
    expect(parseToolCalls(write('', []), format)).toEqual({
      content: write('', []),
      toolCalls: [],
    });
  });

  it('are found in linear time', () => {
    expect(parseToolCalls(write('time', []).repeat(20_000), format).toolCalls).toHaveLength(20_000);
    const whole = write('weather', [['city', 'a']]);
    for (let length = 1; length < whole.length; length += 3) {
      const part = whole.slice(0, length);
      expect(parseToolCalls(part.repeat(5_000), format).toolCalls.length).toBeLessThan(5_001);
      expect(parseToolCalls(part + ' '.repeat(50_000), format).toolCalls.length).toBeLessThan(2);
    }
    const text = write('weather', [['deep', '5']]);
    expect(parseToolCalls(text, format, tools).toolCalls).toHaveLength(1);
  });
});

describe('texts of arguments without a schema', () => {
  it('are texts as Qwen writes them, and JSON where they are that as GLM does', () => {
    const given: [string, string][] = [['any', '5']];
    const found = tagged.map(([format, write]) =>
      [write('other', given), write('weather', given)].map(
        (text) => parseToolCalls(text, format, tools).toolCalls[0]!.arguments.any,
      ),
    );
    expect(found).toEqual([
      ['5', '5'],
      [5, 5],
    ]);
  });
});

describe('toolCallFormatOf', () => {
  it.each([
    ['<tool_call>\\n<function=f>', 'qwen3Coder'],
    ['<tool_call>{{ name }}<arg_key>', 'glm45'],
  ])('tells %s by its marks', (source, format) => {
    expect(toolCallFormatOf(source)).toBe(format);
  });

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
