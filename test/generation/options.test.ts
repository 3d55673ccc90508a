import { describe, expect, it } from 'vitest';
import { readGenerationDefaults } from '../../lib/generation/generation_config.js';
import type { GenerateOptions } from '../../lib/generation/options.js';
import {
  checkOptionsOf,
  type GenerationSettings,
  settingsFor,
} from '../../lib/generation/settings.js';

const limits = { vocabSize: 100, contextLength: 64 };

function settingsOf(
  options: GenerateOptions,
  fields: Record<string, unknown> = {},
  where: 'generate' | 'stream' = 'generate',
): GenerationSettings {
  const defaults = readGenerationDefaults(fields, 'generation_config.json');
  return settingsFor(where, checkOptionsOf(where, options, limits), defaults, limits, 10);
}

describe('options that are refused, by name', () => {
  const refused: [name: string, options: object][] = [
    ['generate', { maxTokens: 5 }],
    ['generate', { max_new_tokens: 5 }],
    ['generate: maxNewTokens', { maxNewTokens: 0 }],
    ['generate: maxNewTokens', { maxNewTokens: '5' }],
    ['generate: minLength', { minLength: 1.5 }],
    ['generate: temperature', { temperature: -1 }],
    ['generate: temperature', { temperature: NaN }],
    ['generate: temperature', { temperature: 0, doSample: true }],
    ['generate: temperature', { temperature: 0.5, doSample: false }],
    ['generate: topK', { topK: -1 }],
    ['generate: topK', { topK: 5, doSample: false }],
    ['generate: topP', { topP: 0 }],
    ['generate: topP', { topP: 1.1 }],
    ['generate: minP', { minP: 2 }],
    ['generate: typicalP', { typicalP: 0 }],
    ['generate: seed', { seed: -1 }],
    ['generate: seed', { seed: 2 ** 53 }],
    ['generate: repetitionPenalty', { repetitionPenalty: 0 }],
    ['generate: frequencyPenalty', { frequencyPenalty: Infinity }],
    ['generate: noRepeatNgramSize', { noRepeatNgramSize: -2 }],
    ['generate: logitBias', { logitBias: { a: 1 } }],
    ['generate: logitBias', { logitBias: { 100: 1 } }],
    ['generate: logitBias', { logitBias: { 1: NaN } }],
    ['generate: sequenceBias', { sequenceBias: [[[], 1]] }],
    ['generate: badWordsIds', { badWordsIds: [[1], []] }],
    ['generate: suppressTokens', { suppressTokens: [100] }],
    ['generate: eosTokenId', { eosTokenId: [] }],
    ['generate: eosTokenId', { eosTokenId: 100 }],
    ['generate: forcedEosTokenId', { forcedEosTokenId: 'x' }],
    ['generate: stop', { stop: ['a', ''] }],
    ['generate: numBeams', { numBeams: 0 }],
    ['generate: minNewTokens', { minNewTokens: 6, maxNewTokens: 5 }],
    ['generate: numBeams', { numBeams: 1e6 }],
    ['generate: numReturnSequences', { numReturnSequences: 1e9, temperature: 1 }],
    ['generate: earlyStopping', { earlyStopping: 'always', numBeams: 2 }],
    ['generate: earlyStopping', { earlyStopping: true }],
    ['generate: lengthPenalty', { lengthPenalty: 2, numBeams: 1 }],
    ['generate: numReturnSequences', { numReturnSequences: 2 }],
    ['generate: numReturnSequences', { numReturnSequences: 3, numBeams: 2 }],
    ['generate: logprobs', { logprobs: -1 }],
    ['generate: logprobs', { logprobs: 1, numBeams: 2 }],
    ['generate: signal', { signal: {} }],
    ['generate: onProgress', { onProgress: 1 }],
  ];
  it.each(refused)('%s: %o', (name, options) => {
    expect(() => settingsOf(options)).toThrow(
      expect.objectContaining({ code: 'ERR_ARGUMENT', where: name }),
    );
  });

  it('also what a stream cannot do', () => {
    for (const options of [{ numBeams: 2 }, { numReturnSequences: 2, doSample: true }]) {
      const where = `stream: ${Object.keys(options)[0]}`;
      expect(() => settingsOf(options, {}, 'stream')).toThrow(
        expect.objectContaining({ code: 'ERR_ARGUMENT', where }),
      );
    }
  });

  it('and a prompt that fills the context', () => {
    expect(() => settingsFor('generate', {}, {}, limits, 64)).toThrow(
      expect.objectContaining({ code: 'ERR_INPUT', where: 'generate: prompt' }),
    );
  });
});

describe('settings', () => {
  it('are drawn where an option of drawing is given, and not with temperature 0', () => {
    expect(settingsOf({}).doSample).toBe(false);
    expect(settingsOf({ temperature: 0.5 })).toMatchObject({ doSample: true, topK: 50 });
    expect(settingsOf({ temperature: 0 }).doSample).toBe(false);
    expect(settingsOf({ temperature: 0 }, { do_sample: true }).doSample).toBe(false);
    expect(settingsOf({ doSample: false }, { do_sample: true, top_p: 0.5 }).doSample).toBe(false);
  });

  it("are the caller's, then the checkpoint's, then ours", () => {
    const file = {
      do_sample: true,
      temperature: 0.6,
      top_p: 0.9,
      eos_token_id: [2, 7],
      max_length: 30,
    };
    expect(settingsOf({ topP: 0.5 }, file)).toMatchObject({
      doSample: true,
      temperature: 0.6,
      topP: 0.5,
      topK: 50,
      eosTokenIds: [2, 7],
      maxLength: 30,
    });
    expect(settingsOf({ eosTokenId: null, maxNewTokens: 4 }, file)).toMatchObject({
      eosTokenIds: [],
      maxLength: 14,
    });
    expect(settingsOf({ maxNewTokens: undefined }).maxLength).toBe(64);
  });

  it('of a stream are without the beams of the checkpoint', () => {
    const file = { num_beams: 4, num_return_sequences: 2 };
    expect(settingsOf({}, file)).toMatchObject({ numBeams: 4, numReturnSequences: 2 });
    expect(settingsOf({}, file, 'stream')).toMatchObject({ numBeams: 1, numReturnSequences: 1 });
  });

  it('without a seed differ from one call to the next', () => {
    expect(settingsOf({}).seed).not.toBe(settingsOf({}).seed);
    expect(settingsOf({ seed: 0 }).seed).toBe(0);
  });
});

describe('generation_config.json', () => {
  it('may hold what is not about choosing tokens, and nulls', () => {
    const file = {
      transformers_version: '5',
      pad_token_id: 0,
      top_k: null,
      bad_words_ids: [],
      guidance_scale: 1,
    };
    expect(readGenerationDefaults(file, 'f')).toEqual({});
  });

  it('is refused where it holds what cannot be', () => {
    expect(() => readGenerationDefaults({ top_k: 'many' }, 'f')).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG', where: 'f: top_k' }),
    );
    expect(() => readGenerationDefaults({ guidance_scale: 3 }, 'f')).toThrow(
      expect.objectContaining({ code: 'ERR_UNSUPPORTED', where: 'f: guidance_scale' }),
    );
  });
});
