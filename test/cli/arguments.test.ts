import { describe, expect, it } from 'vitest';
import { unambiguous } from '../../lib/cli/arguments.js';

const flags = new Set(['json', 'h', 'multiLabel']);
const cases: [given: string, expected: string][] = [
  ['embed --json 1e3', 'embed --json=true 1e3'],
  ['classify --multi-label a', 'classify --multi-label=true a'],
  ['embed -h true', 'embed -h=true true'],
  ['embed --json --file - a', 'embed --json --file=- a'],
  ['embed --file -2 --file -.5 --json -2', 'embed --file=-2 --file=-.5 --json -2'],
  ['embed --json - a', 'embed --json a -- -'],
  ['embed --file a --json', 'embed --file a --json'],
  ['embed a - b', 'embed a b -- -'],
  ['embed - -- --json', 'embed -- - --json'],
  ['embed --json=true 1', 'embed --json=true 1'],
  ['embed --file', 'embed --file'],
  ['embed -- --json 1 --file -', 'embed -- --json 1 --file -'],
  ['', ''],
];

describe('unambiguous', () => {
  it.each(cases)('%j is %j', (given, expected) => {
    expect(unambiguous(given.split(' '), flags).join(' ')).toBe(expected);
  });
});
