import { cac } from 'cac';
import { describe, expect, it } from 'vitest';
import { generationOptionsOf, withGenerationOptions } from '../../lib/cli/generation_options.js';

function parsed(...args: string[]): Record<string, unknown> {
  const cli = cac('test');
  let options: Record<string, unknown> = {};
  withGenerationOptions(cli.command('generate')).action((given) => {
    options = given;
  });
  cli.parse(['node', 'test', 'generate', ...args]);
  return options;
}

describe('options of commands that generate', () => {
  it('are those of generate', () => {
    const options = parsed(
      '--max-new-tokens',
      '5',
      '--temperature',
      '0',
      '--top-p=0.5',
      '--stop',
      'a',
      '--stop',
      '2',
      '--seed',
      '7',
    );
    expect(generationOptionsOf(options)).toEqual({
      maxNewTokens: 5,
      temperature: 0,
      topP: 0.5,
      stop: ['a', '2'],
      seed: 7,
    });
    expect(generationOptionsOf(parsed())).toEqual({});
    expect(generationOptionsOf(parsed('--stop', 'x'))).toEqual({ stop: ['x'] });
  });

  it.each([
    ["--top-k: expected a whole number from 0, found 'many'", '--top-k', 'many'],
    [
      '--seed: expected a whole number from 0 to 2^53 − 1, found an array of 2',
      '--seed=1',
      '--seed=2',
    ],
    ['--top-p: expected a number above 0, up to 1, found 3', '--top-p', '3'],
    ['--max-new-tokens: expected a whole number from 1, found 0', '--max-new-tokens', '0'],
  ])('%s', (message, ...args) => {
    expect(() => generationOptionsOf(parsed(...args))).toThrow(
      expect.objectContaining({ code: 'ERR_ARGUMENT', message }),
    );
  });
});
