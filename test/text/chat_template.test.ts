import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ChatTemplate } from '../../lib/text/chat_template.js';
import { type ChatMessage, ChatTemplates } from '../../lib/text/chat_templates.js';

interface ChatCase {
  template: string;
  name: string;
  arguments: {
    messages: ChatMessage[];
    tools?: [];
    documents?: [];
    add_generation_prompt?: boolean;
  };
  text: string | null;
}

const folder = new URL('../fixtures/chat/', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, folder), 'utf8');
const { tokens, now, cases } = JSON.parse(read('cases.json')) as {
  tokens: Record<string, string>;
  now: string;
  cases: ChatCase[];
};

describe("chat templates give the text of Python's apply_chat_template", () => {
  it.each(cases.map((each) => [each.template, each.name, each] as const))(
    '%s: %s',
    (template, _, golden) => {
      const sources = new Map([
        ['default', { source: read(`templates/${template}`), where: template }],
      ]);
      const templates = new ChatTemplates(sources, tokens, 'a folder');
      const { messages, tools, documents, add_generation_prompt, ...templateVariables } =
        golden.arguments;
      const apply = (): string =>
        templates.apply(
          messages,
          {
            ...(tools && { tools }),
            ...(documents && { documents }),
            ...(add_generation_prompt !== undefined && {
              addGenerationPrompt: add_generation_prompt,
            }),
            templateVariables,
          },
          new Date(now),
        );
      if (golden.text === null) {
        expect(apply).toThrow(expect.objectContaining({ code: 'ERR_INPUT' }));
      } else {
        expect(apply()).toBe(golden.text);
      }
    },
  );
});

describe('a template that takes more than it may is ended', () => {
  const hostile: [what: string, source: string][] = [
    ['a long list', '{% for i in range(10000000) %}x{% endfor %}'],
    [
      'nested loops',
      '{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}',
    ],
    [
      'a text that doubles',
      "{% set n = namespace(s='a') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
    ],
    [
      'an output that doubles',
      "{% macro m(s) %}{{ s }}{{ s }}{% endmacro %}{% set n = namespace(s='a') %}{% for i in range(99) %}{% set n.s = m(n.s) %}{% endfor %}",
    ],
    [
      'a list that doubles',
      '{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}',
    ],
    [
      'a list of itself',
      '{% set n = namespace(s=[1]) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s | tojson }}',
    ],
    ['a macro without end', '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}'],
    [
      'replacing',
      `{% set n = namespace(s='${'a'.repeat(999)}') %}{% for i in range(5) %}{% set n.s = n.s.replace('a', n.s) %}{% endfor %}`,
    ],
    ['nested brackets', `{{ ${'('.repeat(100_000)}1${')'.repeat(100_000)} }}`],
    ['a source without end', ' '.repeat(2_000_000)],
    ['much output', '{% for i in range(400000) %}0123456789abcdef{% endfor %}'],
  ];
  it.each(hostile)('%s', (_, source) => {
    const run = (): string => new ChatTemplate(source, 'hostile').render({ messages: [] });
    expect(run).toThrow(expect.objectContaining({ code: 'ERR_FORMAT', where: 'hostile' }));
    // What comes after is not affected.
    expect(new ChatTemplate('{{ a }}', 'next').render({ a: 1 })).toBe('1');
  });

  it('by its time, its steps or its size', () => {
    const limits = { steps: 50, depth: 9, size: 20, milliseconds: 10_000 };
    const loop = (count: number) => `{% for i in range(${count}) %}{{ '' }}{% endfor %}`;
    expect(() => new ChatTemplate(loop(21), 't', limits).render({})).toThrow(
      'a range of 21, more than 20',
    );
    expect(() => new ChatTemplate(loop(19).repeat(9), 't', limits).render({})).toThrow(
      'more than 50 steps',
    );
    expect(() => new ChatTemplate("{{ 'a' ~ 'b' * 0 }}", 't', limits).render({})).toThrow(
      't: the template cannot use',
    );
    const skip = '{% for i in range(19) %}{% if true %}{% continue %}{% endif %}{% endfor %}';
    expect(new ChatTemplate(skip, 't', { ...limits, steps: 500 }).render({})).toBe('');
    const long = { steps: Infinity, depth: 9, size: Infinity, milliseconds: 20 };
    expect(() => new ChatTemplate(loop(1e8), 't', long).render({})).toThrow(
      'it runs for more than 20 ms',
    );
  });
});

it('may take longer with a long conversation', () => {
  const source =
    '{% for m in messages %}{{ m.content }}{% for i in range(9) %}{{ i }}{% endfor %}{% endfor %}';
  const limits = { steps: 5000, depth: 9, size: 100_000, milliseconds: 10_000 };
  const messages = Array.from({ length: 600 }, () => ({ role: 'user', content: 'a' }));
  const template = new ChatTemplate(source, 't', limits);
  expect(template.render({ messages })).toHaveLength(6000);
  const same = new ChatTemplate(source.replace('in messages', 'in others'), 't', limits);
  expect(() => same.render({ messages: [], others: messages })).toThrow('more than 5000 steps');
});

describe('messages', () => {
  const templates = new ChatTemplates(
    new Map([
      ['default', { source: '{{ messages[0].content }}', where: 'd' }],
      ['tool_use', { source: 'tools {{ tools | length }}', where: 't' }],
      ['broken', { source: '{% if %}', where: 'b' }],
    ]),
    {},
    'folder',
  );
  const user = { role: 'user', content: 'hi' };

  it('go through the template that is named, or the one for tools', () => {
    expect(templates.apply([user])).toBe('hi');
    expect(templates.apply([user], { tools: [{ type: 'function' }] })).toBe('tools 1');
    expect(templates.apply([user], { tools: [] })).toBe('hi');
    for (const wrong of ['x', null, [5], {}]) {
      const message = /^tools: expected a list of objects, found/;
      expect(() => templates.apply([user], { tools: wrong as never })).toThrow(message);
    }
    expect(templates.apply([user], { tools: [{}], chatTemplate: 'default' })).toBe('hi');
    expect(() => templates.apply([user], { chatTemplate: 'other' })).toThrow(
      "chatTemplate: expected one of the templates default, tool_use, broken, found 'other'",
    );
    expect(() => templates.apply([user], { chatTemplate: 'broken' })).toThrow(
      expect.objectContaining({ code: 'ERR_FORMAT', where: 'b' }),
    );
    expect(() => new ChatTemplates(new Map(), {}, 'folder').apply([user])).toThrow(
      expect.objectContaining({ code: 'ERR_UNSUPPORTED', where: 'folder' }),
    );
  });

  it.each([
    ['messages', []],
    ['messages', 'hi'],
    ['messages[0]', [null]],
    ['messages[1]', [user, { content: 'hi' }]],
    ['messages[0]', [{ role: 'user', content: 5 }]],
  ])('that are none are refused: %s %o', (where, messages) => {
    expect(() => templates.apply(messages as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INPUT', where }),
    );
  });

  it('are data: a cycle is refused, and no function of theirs is called', () => {
    const cycle: ChatMessage = { role: 'user', content: 'a' };
    cycle.self = cycle;
    expect(() => templates.apply([cycle])).toThrow(
      expect.objectContaining({ code: 'ERR_INPUT', where: 'messages' }),
    );
    const source = { source: '{{ messages[0].call is defined }}', where: 's' };
    const one = new ChatTemplates(new Map([['default', source]]), {}, 'folder');
    expect(one.apply([{ ...user, call: () => expect.unreachable() }])).toBe('False');
  });
});
