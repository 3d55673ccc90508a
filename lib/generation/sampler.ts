import { mismatch } from '../errors.js';
import type { WantedLogits } from '../models/decoder_engine.js';
import { type CandidateSettings, Candidates, keepsAll } from './candidates.js';
import { alternativesOf, checkBest, type TokenLogprob } from './log_probabilities.js';
import { createProcessors, type History, type ProcessorSettings } from './logits_processors.js';
import { uniform } from './random.js';
import { ScoreRow } from './score_row.js';

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
  private readonly temperature: number;
  /** What `choose` is to be given of a step. */
  readonly wantsLogits: WantedLogits;

  constructor(
    private readonly settings: SamplerSettings,
    private readonly vocabSize: number,
  ) {
    this.processors = createProcessors(settings);
    const { doSample, logprobs } = settings;
    const takesBest = !doSample && logprobs === undefined && this.processors.length === 0;
    this.temperature = doSample ? settings.temperature : 1;
    this.wantsLogits = takesBest ? 'best' : { temperature: this.temperature };
  }

  /**
   * @param given by a step as `wantsLogits` asks for it, not to be used afterwards.
   * @param stream which of the sequences that one prompt gives.
   * @throws ERR_ENGINE for logits that are no numbers; ERR_ARGUMENT where the options leave no token.
   */
  choose(
    given: Float32Array,
    history: History,
    stream: number,
  ): { id: number; logprob?: TokenLogprob } {
    const position = history.ids.length;
    if (this.wantsLogits === 'best') {
      const [id, logit] = given;
      checkBest(id!, logit!, position);
      return { id: id! };
    }
    const row = new ScoreRow(given, this.vocabSize, this.temperature);
    const largest = row.check(position);
    const { logprobs } = this.settings;
    if (logprobs === undefined) return { id: this.pick(row, history, stream) };
    const normalizer = row.logSumExp(largest);
    const alternatives = alternativesOf(row, normalizer, logprobs);
    row.keepOriginals();
    const id = this.pick(row, history, stream);
    return { id, logprob: { id, logprob: row.original(id) - normalizer, alternatives } };
  }

  private pick(row: ScoreRow, history: History, stream: number): number {
    for (const process of this.processors) process(row, history);
    const id = this.settings.doSample ? this.draw(row, history, stream) : row.best();
    if (id === -1) throw noTokenLeft(history.ids.length);
    return id;
  }

  private draw(row: ScoreRow, history: History, stream: number): number {
    const { candidates, settings } = this;
    const step = history.ids.length - history.promptLength;
    const share = uniform(settings.seed, stream, step);
    const found = keepsAll(settings) ? row.idAt(share) : undefined;
    if (found !== undefined) return found;
    candidates.select(row, settings);
    if (candidates.count === 0) return -1;
    const { weights, total } = candidates.softmax();
    let rest = share * total;
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

export function noTokenLeft(position: number): Error {
  return mismatch(
    'ERR_ARGUMENT',
    `generate: after ${position} ids`,
    'a token that may follow',
    'none; badWordsIds, suppressTokens, noRepeatNgramSize and logitBias together forbid all',
  );
}
