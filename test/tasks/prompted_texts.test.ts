import { describe, expect, it } from 'vitest';
import { choosePrompt, prepareText } from '../../lib/tasks/prompted_texts.js';

describe('prepareText', () => {
  it('takes white space away as str.strip of Python does', () => {
    const space =
      '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000';
    expect(prepareText(`${space}a${space}b${space}`, '', false)).toBe(`a${space}b`);
    expect(prepareText(space, '', false)).toBe('');
    for (const kept of ['\ufeff', '\u200b', '\0', '\x1b']) {
      expect(prepareText(`${kept}a${kept}`, '', false)).toBe(`${kept}a${kept}`);
    }
  });

  it('puts the prompt before the text first', () => {
    expect(prepareText(' a ', 'query: ', false)).toBe('query:  a');
    expect(prepareText('', ' query: ', false)).toBe('query:');
  });

  it('writes small letters where a checkpoint wants them', () => {
    expect(prepareText('ÄB', 'Q: ', true)).toBe('q: äb');
    expect(prepareText('ÄB', 'Q: ', false)).toBe('Q: ÄB');
  });
});

describe('choosePrompt', () => {
  const prompts = new Map([
    ['query', 'q: '],
    ['passage', 'p: '],
  ]);
  const preparation = { prompts, defaultPrompt: 'passage', lowerCase: false };
  const without = {
    prompts: new Map<string, string>(),
    defaultPrompt: undefined,
    lowerCase: false,
  };

  it('takes the one given, else the one named, else the default one', () => {
    expect(choosePrompt(preparation, { prompt: 'x', promptName: 'query' })).toBe('x');
    expect(choosePrompt(preparation, { prompt: '' })).toBe('');
    expect(choosePrompt(preparation, { promptName: 'query' })).toBe('q: ');
    expect(choosePrompt(preparation, {})).toBe('p: ');
    expect(choosePrompt(without, {})).toBe('');
  });

  it('refuses names and prompts that are none', () => {
    const none = expect.objectContaining({
      code: 'ERR_ARGUMENT',
      message: expect.stringMatching(/query, passage.*'__proto__'/),
    });
    expect(() => choosePrompt(preparation, { promptName: '__proto__' })).toThrow(none);
    expect(() => choosePrompt(without, { promptName: 'query' })).toThrow(/no prompts.*'query'/);
    expect(() => choosePrompt(preparation, { prompt: 7 as unknown as string })).toThrow(/number/);
  });
});
