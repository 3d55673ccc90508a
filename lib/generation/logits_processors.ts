/**
 * What is done to the scores of a step before a token is chosen, in the order and with the semantics of Hugging Face's
 * `LogitsProcessor`s (transformers 5, `generation/logits_process.py`). Each changes the row in place.
 */
import type { ScoreRow } from './score_row.js';

/** One sequence, as far as it has come. */
export interface History {
  /** All ids: those of the prompt, then the new ones. */
  readonly ids: readonly number[];
  readonly promptLength: number;
}

export type LogitsProcessor = (scores: ScoreRow, history: History) => void;

export interface ProcessorSettings {
  /** Added to the score of the last id where those before it are what the sequence ends with; of one id: always. */
  readonly sequenceBias: readonly (readonly [ids: readonly number[], bias: number])[];
  /** Divides positive and multiplies negative scores of ids that the sequence holds (Keskar et al. 2019); 1: none. */
  readonly repetitionPenalty: number;
  /** Taken from the score of a new id for each time it was generated. */
  readonly frequencyPenalty: number;
  /** Taken from the score of every id that was generated. */
  readonly presencePenalty: number;
  /** No n ids in a row appear twice (Paulus et al. 2017); 0: they may. */
  readonly noRepeatNgramSize: number;
  readonly badWordsIds: readonly (readonly number[])[];
  /** Ids, the prompt's among them, before the end may come. */
  readonly minLength: number;
  readonly minNewTokens: number;
  /** Empty: nothing ends a sequence but its length. */
  readonly eosTokenIds: readonly number[];
  /** The id that follows a sequence of one. */
  readonly forcedBosTokenId: number | undefined;
  /** The ids of which one is the last where `maxLength` ends the sequence. */
  readonly forcedEosTokenIds: readonly number[];
  readonly suppressTokens: readonly number[];
  /** Those that are suppressed only as the first new id, or the second where the first is forced. */
  readonly beginSuppressTokens: readonly number[];
  /** Ids, the prompt's among them, after which the sequence ends. */
  readonly maxLength: number;
}

/** The processors that the settings ask for; none is there that would change nothing. */
export function createProcessors(settings: ProcessorSettings): LogitsProcessor[] {
  const processors: LogitsProcessor[] = [];
  const { eosTokenIds } = settings;
  if (settings.sequenceBias.length > 0) processors.push(sequenceBias(settings.sequenceBias));
  if (settings.repetitionPenalty !== 1) {
    processors.push(repetitionPenalty(settings.repetitionPenalty));
  }
  if (settings.frequencyPenalty !== 0 || settings.presencePenalty !== 0) {
    processors.push(usePenalties(settings.frequencyPenalty, settings.presencePenalty));
  }
  if (settings.noRepeatNgramSize > 0) processors.push(noRepeatNgrams(settings.noRepeatNgramSize));
  if (settings.badWordsIds.length > 0) {
    const isEnd = (word: readonly number[]) => word.length === 1 && eosTokenIds.includes(word[0]!);
    const words = settings.badWordsIds.filter((word) => !isEnd(word));
    processors.push(sequenceBias(words.map((word) => [word, -Infinity] as const)));
  }
  if (eosTokenIds.length > 0) {
    const { minLength, minNewTokens } = settings;
    const isEarly = ({ ids, promptLength }: History): boolean =>
      ids.length < minLength || ids.length - promptLength < minNewTokens;
    if (minLength > 0 || minNewTokens > 0) processors.push(suppressWhile(isEarly, eosTokenIds));
  }
  const { forcedBosTokenId: bos, forcedEosTokenIds: eos, maxLength } = settings;
  if (bos !== undefined) processors.push(forceWhen(({ ids }) => ids.length === 1, [bos]));
  if (eos.length > 0) processors.push(forceWhen(({ ids }) => ids.length === maxLength - 1, eos));
  if (settings.suppressTokens.length > 0) {
    processors.push(suppressWhile(() => true, settings.suppressTokens));
  }
  if (settings.beginSuppressTokens.length > 0) {
    const atBegin = ({ ids, promptLength }: History): boolean =>
      ids.length === promptLength + (promptLength <= 1 && bos !== undefined ? 1 : 0);
    processors.push(suppressWhile(atBegin, settings.beginSuppressTokens));
  }
  return processors;
}

/** Of several biases of one sequence the last counts. */
function sequenceBias(given: ProcessorSettings['sequenceBias']): LogitsProcessor {
  const biases = new Map(given.map((each) => [each[0].join(), each]));
  return (scores, { ids }) => {
    for (const [sequence, bias] of biases.values()) {
      const last = sequence.length - 1;
      const begin = ids.length - last;
      if (begin < 0) continue;
      let matches = true;
      for (let i = 0; i < last && matches; i++) matches = ids[begin + i] === sequence[i];
      const id = sequence[last]!;
      if (matches) scores.set(id, scores.get(id) + Math.fround(bias));
    }
  };
}

function repetitionPenalty(given: number): LogitsProcessor {
  const penalty = Math.fround(given);
  let marks = new Int32Array(0);
  let mark = 0;
  return (scores, { ids }) => {
    if (marks.length !== scores.length) marks = new Int32Array(scores.length);
    mark++;
    for (const id of ids) {
      if (marks[id] === mark) continue; // once, however often it is there
      marks[id] = mark;
      const score = scores.get(id);
      scores.set(id, score < 0 ? score * penalty : score / penalty);
    }
  };
}

/** As OpenAI's API has them: of what was generated, not of the prompt. */
function usePenalties(frequency: number, presence: number): LogitsProcessor {
  return (scores, { ids, promptLength }) => {
    const uses = new Map<number, number>();
    for (let i = promptLength; i < ids.length; i++) {
      uses.set(ids[i]!, (uses.get(ids[i]!) ?? 0) + 1);
    }
    for (const [id, count] of uses) {
      scores.set(id, scores.get(id) - (frequency * count + presence));
    }
  };
}

function noRepeatNgrams(size: number): LogitsProcessor {
  return (scores, { ids }) => {
    const begin = ids.length - (size - 1);
    for (let at = 0; at + size <= ids.length; at++) {
      let repeats = true;
      for (let i = 0; i < size - 1 && repeats; i++) repeats = ids[at + i] === ids[begin + i];
      if (repeats) scores.set(ids[at + size - 1]!, -Infinity);
    }
  };
}

function suppressWhile(
  condition: (history: History) => boolean,
  tokens: readonly number[],
): LogitsProcessor {
  return (scores, history) => {
    if (condition(history)) for (const id of tokens) scores.set(id, -Infinity);
  };
}

function forceWhen(
  condition: (history: History) => boolean,
  tokens: readonly number[],
): LogitsProcessor {
  return (scores, history) => {
    if (condition(history)) scores.only(tokens);
  };
}
