import { describe, expect, it } from 'vitest';
import { listOfLayers } from '../../lib/cli/inspect_attention.js';
import { cellOf, shade } from '../../lib/cli/inspect_options.js';
import { rangesOf, visibleTokens } from '../../lib/cli/inspect_positions.js';

describe('cells of the terminal', () => {
  it.each([
    [' word', 'word'],
    ['two\n lines', 'two↵lines'],
    ['   ', '␣'],
    ['\u001b[31mred\u0007', '·[31mred·'],
    ['a very long token', 'a very long…'],
    ['😀'.repeat(13), `${'😀'.repeat(11)}…`],
  ])('%j is %j', (text, cell) => expect(cellOf(text)).toBe(cell));

  it('are darker for more, and never out of range', () => {
    expect([-1, 0, 0.5, 1, 2].map(shade)).toEqual([' ', ' ', '▒', '█', '█']);
  });
});

describe('windows', () => {
  it.each([
    [null, null, 'all tokens before and after itself'],
    [null, 0, 'all tokens before itself and none after'],
    [511, 0, '511 tokens before itself and none after'],
    [1, 1, '1 token before and after itself'],
    [0, null, 'no tokens before itself and all after'],
  ])('%j before and %j after are in words', (before, after, words) => {
    expect(visibleTokens(before, after)).toBe(words);
  });
});

describe('layers', () => {
  it('are read as lists and ranges, and written so', () => {
    expect(listOfLayers('0, 4-6')).toEqual([0, 4, 5, 6]);
    expect(rangesOf([0, 4, 5, 6, 8])).toBe('0, 4–6, 8');
    expect(rangesOf([])).toBe('');
  });

  it.each(['', '1-', '3-1', 'a', '1.5', '-1', '0-999999'])('are not %j', (list) => {
    expect(() => listOfLayers(list)).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT' }));
  });
});
