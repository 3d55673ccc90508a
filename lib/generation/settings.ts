import { randomInt } from 'node:crypto';
import { type HeddleError, mismatch } from '../errors.js';
import { checkGenerateOptions, type GenerateOptions, type GenerationDefaults } from './options.js';
import type { SamplerSettings } from './sampler.js';

/** Everything that decides one generation: options, the checkpoint's defaults, and ours. */
export interface GenerationSettings extends SamplerSettings {
  readonly numBeams: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | 'never';
  readonly numReturnSequences: number;
  readonly stop: readonly string[];
  readonly signal: AbortSignal | undefined;
  readonly onProgress: GenerateOptions['onProgress'];
}

/** What of a model the options are held against. */
export interface GenerationLimits {
  readonly vocabSize: number;
  /** Ids that a sequence may have in all. */
  readonly contextLength: number;
}

const defaultMaxNewTokens = 256;

/** As @huggingface/transformers and its Python sibling have it. */
const defaultTopK = 50;

/** With less, logits would be divided out of float32's range; nothing but the best is drawn with this one already. */
const leastTemperature = 1e-6;

const samplingOptions = ['temperature', 'topK', 'topP', 'minP', 'typicalP'] as const;
const beamOptions = ['lengthPenalty', 'earlyStopping'] as const;

/** Checks options without a prompt: once for a call with many. @throws ERR_ARGUMENT naming the option. */
export function checkOptionsOf(
  where: 'generate' | 'stream',
  options: GenerateOptions,
  { vocabSize }: GenerationLimits,
): GenerateOptions {
  const given = checkGenerateOptions(where, options);
  checkIds(where, given, vocabSize);
  const sampled = samplingOptions.find((name) => given[name] !== undefined);
  if (given.doSample === true && given.temperature === 0) {
    throw contradiction(where, 'temperature', 'doSample: true', '0');
  }
  if (
    given.doSample === false &&
    sampled !== undefined &&
    !(sampled === 'temperature' && given.temperature === 0)
  ) {
    throw contradiction(where, sampled, 'doSample: false', String(given[sampled]));
  }
  if ((given.minNewTokens ?? 0) > (given.maxNewTokens ?? Infinity)) {
    const expected = `at most maxNewTokens, ${given.maxNewTokens}`;
    const name = `${where}: minNewTokens`;
    throw mismatch('ERR_ARGUMENT', name, expected, String(given.minNewTokens));
  }
  const beams = given.numBeams ?? 1;
  if (where === 'stream') {
    if (beams > 1) throw contradiction(where, 'numBeams', 'a stream', String(beams));
    const several = given.numReturnSequences ?? 1;
    if (several > 1) throw contradiction(where, 'numReturnSequences', 'a stream', String(several));
  }
  if (beams > 1 && given.logprobs !== undefined && given.logprobs !== false) {
    throw contradiction(where, 'logprobs', `numBeams: ${beams}`, String(given.logprobs));
  }
  if (given.numBeams === 1) {
    const lost = beamOptions.find((name) => given[name] !== undefined);
    if (lost) throw contradiction(where, lost, 'numBeams: 1', String(given[lost]));
  }
  return given;
}

function contradiction(where: string, name: string, other: string, found: string): HeddleError {
  return mismatch('ERR_ARGUMENT', `${where}: ${name}`, `nothing beside ${other}`, found);
}

function checkIds(where: string, given: GenerateOptions, vocabSize: number): void {
  const lists: Record<string, Iterable<number>> = {
    logitBias: Object.keys(given.logitBias ?? {}).map(Number),
    sequenceBias: (given.sequenceBias ?? []).flatMap(([ids]) => ids),
    badWordsIds: (given.badWordsIds ?? []).flat(),
    suppressTokens: given.suppressTokens ?? [],
    beginSuppressTokens: given.beginSuppressTokens ?? [],
    forcedBosTokenId: listOf(given.forcedBosTokenId),
    forcedEosTokenId: listOf(given.forcedEosTokenId),
    eosTokenId: listOf(given.eosTokenId),
  };
  for (const [name, ids] of Object.entries(lists)) {
    for (const id of ids) {
      if (id < vocabSize) continue;
      const expected = `ids below ${vocabSize}, the model's vocabulary`;
      throw mismatch('ERR_ARGUMENT', `${where}: ${name}`, expected, String(id));
    }
  }
}

function listOf(ids: number | readonly number[] | null | undefined): readonly number[] {
  return ids === null || ids === undefined ? [] : typeof ids === 'number' ? [ids] : ids;
}

/**
 * What a prompt is continued with.
 * @param given checked by `checkOptionsOf`.
 * @param defaults of the checkpoint.
 * @throws ERR_INPUT for a prompt that leaves no room in the context; ERR_ARGUMENT for options that the defaults contradict.
 */
export function settingsFor(
  where: 'generate' | 'stream',
  given: GenerateOptions,
  defaults: GenerationDefaults,
  { vocabSize, contextLength }: GenerationLimits,
  promptLength: number,
): GenerationSettings {
  if (promptLength >= contextLength) {
    const expected = `fewer ids than the model's context of ${contextLength}`;
    throw mismatch('ERR_INPUT', `${where}: prompt`, expected, String(promptLength));
  }
  const merged = { ...defaults, ...given };
  const isSampled = samplingOptions.some((name) => given[name] !== undefined);
  const doSample =
    given.doSample ?? (given.temperature === 0 ? false : isSampled || (defaults.doSample ?? false));
  const numBeams = where === 'stream' ? 1 : (merged.numBeams ?? 1);
  const numReturnSequences = where === 'stream' ? 1 : (merged.numReturnSequences ?? 1);
  if (numReturnSequences > 1 && numBeams === 1 && !doSample) {
    const expected = '1 where neither doSample nor numBeams makes them differ';
    const name = `${where}: numReturnSequences`;
    throw mismatch('ERR_ARGUMENT', name, expected, String(numReturnSequences));
  }
  if (numBeams > 1 && numReturnSequences > numBeams) {
    const expected = `at most numBeams, ${numBeams}`;
    const name = `${where}: numReturnSequences`;
    throw mismatch('ERR_ARGUMENT', name, expected, String(numReturnSequences));
  }
  const lost = numBeams === 1 && beamOptions.find((name) => given[name] !== undefined);
  if (lost) throw contradiction(where, lost, 'numBeams: 1', String(given[lost]));

  const logprobs =
    given.logprobs === true ? 0 : given.logprobs === false ? undefined : given.logprobs;
  const within = (ids: readonly number[]): readonly number[] => ids.filter((id) => id < vocabSize);
  const logitBias = Object.entries(given.logitBias ?? {});
  return {
    maxLength: Math.min(promptLength + newTokens(given, defaults, promptLength), contextLength),
    minLength: merged.minNewTokens === undefined ? (merged.minLength ?? 0) : 0,
    minNewTokens: merged.minNewTokens ?? 0,
    doSample,
    // Of a checkpoint that is sampled with temperature 0 nothing can be drawn.
    temperature: Math.max(merged.temperature || 1, leastTemperature),
    topK: merged.topK ?? defaultTopK,
    topP: merged.topP ?? 1,
    minP: merged.minP ?? 0,
    typicalP: merged.typicalP ?? 1,
    seed: given.seed ?? randomInt(2 ** 47),
    repetitionPenalty: merged.repetitionPenalty ?? 1,
    frequencyPenalty: merged.frequencyPenalty ?? 0,
    presencePenalty: merged.presencePenalty ?? 0,
    noRepeatNgramSize: merged.noRepeatNgramSize ?? 0,
    sequenceBias: [
      ...(merged.sequenceBias ?? []),
      ...logitBias.map(([id, bias]) => [[Number(id)], bias] as const),
    ],
    badWordsIds: merged.badWordsIds ?? [],
    // Checkpoints name ids of larger vocabularies here; those that were given are checked.
    suppressTokens: within(merged.suppressTokens ?? []),
    beginSuppressTokens: within(merged.beginSuppressTokens ?? []),
    forcedBosTokenId: merged.forcedBosTokenId ?? undefined,
    forcedEosTokenIds: listOf(merged.forcedEosTokenId),
    eosTokenIds: within(listOf(merged.eosTokenId)),
    logprobs: numBeams > 1 ? undefined : logprobs,
    numBeams,
    lengthPenalty: merged.lengthPenalty ?? 1,
    earlyStopping: merged.earlyStopping ?? false,
    numReturnSequences,
    stop: typeof given.stop === 'string' ? [given.stop] : (given.stop ?? []),
    signal: given.signal,
    onProgress: given.onProgress,
  };
}

/** A number of new ids goes before one of ids in all, and the caller's before the checkpoint's. */
function newTokens(
  given: GenerateOptions,
  defaults: GenerationDefaults,
  promptLength: number,
): number {
  const number = given.maxNewTokens ?? defaults.maxNewTokens;
  if (number !== undefined) return number;
  const room = (defaults.maxLength ?? 0) - promptLength;
  return room > 0 ? room : defaultMaxNewTokens;
}
