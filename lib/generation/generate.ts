import type { DecoderEngine } from '../models/decoder_engine.js';
import type { TokenLogprob } from './log_probabilities.js';
import { Sampler } from './sampler.js';
import type { GenerationSettings } from './settings.js';

export type FinishReason = 'stop' | 'length';

export interface GeneratedSequence {
  /** The new ids, that which ended them among them. */
  readonly ids: readonly number[];
  /** Of beam search: the sum of log-probabilities over the length to the power of `lengthPenalty`. */
  readonly score?: number;
  readonly logprobs?: readonly TokenLogprob[];
  readonly finishReason: FinishReason;
}

/** A new token of one of the sequences that a prompt gives. */
export interface SequenceToken {
  readonly sequence: number;
  readonly id: number;
  readonly logprob?: TokenLogprob;
  /** Of a sequence's last token. */
  readonly finishReason?: FinishReason;
}

/** Is told each new id of a sequence; says whether its text ends there. */
export type TextEnd = (id: number) => boolean;

/**
 * Continues a prompt token by token: the best one, or one that is drawn. Sequences leave the batch as they end. Ending
 * the iteration early frees what the engine keeps.
 * @param textEnds for each sequence, where texts end it.
 * @throws ERR_ENGINE for logits that are no numbers; ERR_ARGUMENT where the options leave no token; the signal's reason.
 */
export async function* generateTokens(
  engine: DecoderEngine,
  prompt: readonly number[],
  settings: GenerationSettings,
  textEnds: readonly TextEnd[] = [],
): AsyncGenerator<SequenceToken, void, undefined> {
  const { signal, maxLength, numReturnSequences } = settings;
  const sampler = new Sampler(settings, engine.vocabSize);
  const { wantsLogits } = sampler;
  const begin = engine.begin([], prompt.length);
  let running = [{ number: 0, sequence: begin, ids: prompt.slice() }];
  try {
    signal?.throwIfAborted();
    let rows = await engine.step([{ sequence: begin, ids: prompt, wantsLogits }], { signal });
    for (let number = 1; number < numReturnSequences; number++) {
      running.push({ number, sequence: engine.fork(begin), ids: prompt.slice() });
      rows.push(rows[0]!.slice());
    }
    for (let tokens = 0; ; ) {
      signal?.throwIfAborted();
      const chosen = running.map(({ number, ids }, i) => {
        const token = sampler.choose(rows[i]!, { ids, promptLength: prompt.length }, number);
        ids.push(token.id);
        const stops =
          settings.eosTokenIds.includes(token.id) || textEnds[number]?.(token.id) === true;
        const finishReason: FinishReason | undefined = stops
          ? 'stop'
          : ids.length >= maxLength
            ? 'length'
            : undefined;
        return { sequence: number, ...token, ...(finishReason && { finishReason }) };
      });
      const goesOn = chosen.map(({ finishReason }) => finishReason === undefined);
      running
        .filter((_, i) => !goesOn[i])
        .forEach(({ sequence }) => {
          engine.free(sequence);
        });
      running = running.filter((_, i) => goesOn[i]);
      tokens += chosen.length;
      settings.onProgress?.({ tokens });
      yield* chosen;
      if (running.length === 0) return;
      const batch = running.map(({ sequence, ids }) => ({
        sequence,
        ids: ids.slice(-1),
        wantsLogits,
      }));
      rows = await engine.step(batch, { signal });
    }
  } finally {
    for (const { sequence } of running) engine.free(sequence);
  }
}

/** All tokens of a prompt's sequences, as `generateTokens` makes them. */
export async function generateSequences(
  engine: DecoderEngine,
  prompt: readonly number[],
  settings: GenerationSettings,
  textEnds: readonly TextEnd[] = [],
): Promise<GeneratedSequence[]> {
  const made = Array.from({ length: settings.numReturnSequences }, () => ({
    ids: [] as number[],
    logprobs: [] as TokenLogprob[],
    finishReason: 'length' as FinishReason,
  }));
  for await (const token of generateTokens(engine, prompt, settings, textEnds)) {
    const sequence = made[token.sequence]!;
    sequence.ids.push(token.id);
    if (token.logprob) sequence.logprobs.push(token.logprob);
    if (token.finishReason) sequence.finishReason = token.finishReason;
  }
  return made.map(({ ids, logprobs, finishReason }) =>
    settings.logprobs === undefined ? { ids, finishReason } : { ids, logprobs, finishReason },
  );
}
