import { mismatch } from '../errors.js';
import type { WantedLogits } from '../models/decoder_engine.js';
import { type CandidateSettings, Candidates } from './candidates.js';
import {
  alternativesOf,
  checkBest,
  checkLogits,
  logSumExp,
  type TokenLogprob,
} from './log_probabilities.js';
import { createProcessors, type History, type ProcessorSettings } from './logits_processors.js';
import { uniform } from './random.js';

export interface SamplerSettings extends ProcessorSettings, CandidateSettings {
  /** Whether tokens are drawn; else the best one is taken, of equal ones that with the lowest id. */
  readonly doSample: boolean;
  readonly seed: number;
  /** How many alternatives come with each log-probability; undefined: no log-probabilities. */
  readonly logprobs: number | undefined;
}

/** Chooses the next token of sequences. Holds nothing of any of them. */
export class Sampler {
  private readonly processors;
  private readonly candidates = new Candidates();
  /** What `choose` is to be given of a step. */
  readonly wantsLogits: WantedLogits;

  constructor(private readonly settings: SamplerSettings) {
    this.processors = createProcessors(settings);
    const { doSample, logprobs } = settings;
    const takesBest = !doSample && logprobs === undefined && this.processors.length === 0;
    this.wantsLogits = takesBest ? 'best' : true;
  }

  /**
   * @param logits as `wantsLogits` asks for them, not to be used afterwards.
   * @param stream which of the sequences that one prompt gives.
   * @throws ERR_ENGINE for logits that are no numbers; ERR_ARGUMENT where the options leave no token.
   */
  choose(
    logits: Float32Array,
    history: History,
    stream: number,
  ): { id: number; logprob?: TokenLogprob } {
    const position = history.ids.length;
    if (this.wantsLogits === 'best') {
      const [id, logit] = logits;
      checkBest(id!, logit!, position);
      return { id: id! };
    }
    const largest = checkLogits(logits, position);
    const { logprobs } = this.settings;
    if (logprobs === undefined) return { id: this.pick(logits, history, stream) };
    const normalizer = logSumExp(logits, largest);
    const alternatives = alternativesOf(logits, normalizer, logprobs);
    const original = this.processors.length > 0 ? logits.slice() : logits;
    const id = this.pick(logits, history, stream);
    return { id, logprob: { id, logprob: original[id]! - normalizer, alternatives } };
  }

  private pick(scores: Float32Array, history: History, stream: number): number {
    for (const process of this.processors) process(scores, history);
    const id = this.settings.doSample ? this.draw(scores, history, stream) : largestOf(scores);
    if (id === -1) throw noTokenLeft(history.ids.length);
    return id;
  }

  private draw(scores: Float32Array, history: History, stream: number): number {
    const { candidates, settings } = this;
    candidates.select(scores, settings);
    if (candidates.count === 0) return -1;
    const { weights, total } = candidates.softmax();
    const step = history.ids.length - history.promptLength;
    let rest = uniform(settings.seed, stream, step) * total;
    let last = 0;
    for (let i = 0; i < candidates.count; i++) {
      if (weights[i] === 0) continue;
      last = i;
      rest -= weights[i]!;
      if (rest < 0) break;
    }
    return candidates.ids[last]!;
  }
}

/** −1 where all are −∞. */
function largestOf(scores: Float32Array): number {
  let best = -1;
  let largest = -Infinity;
  for (let id = 0; id < scores.length; id++) {
    if (scores[id]! > largest) {
      largest = scores[id]!;
      best = id;
    }
  }
  return best;
}

export function noTokenLeft(position: number): Error {
  return mismatch(
    'ERR_ARGUMENT',
    `generate: after ${position} ids`,
    'a token that may follow',
    'none; badWordsIds, suppressTokens, noRepeatNgramSize and logitBias together forbid all',
  );
}
