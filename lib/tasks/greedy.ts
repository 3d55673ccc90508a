import { HeddleError } from '../errors.js';
import type { DecoderEngine } from '../models/decoder_engine.js';

export interface GreedyOptions {
  readonly maxNewTokens: number;
  /** Ids that end the text. */
  readonly eosTokenIds: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

/**
 * Continues ids with the most likely one, again and again. Ending the iteration early gives back what is cached.
 * @throws ERR_ENGINE for logits that are no numbers; the signal's reason, within one token.
 */
export async function* greedyTokens(
  engine: DecoderEngine,
  prompt: readonly number[],
  { maxNewTokens, eosTokenIds, signal }: GreedyOptions,
): AsyncGenerator<{ id: number; ends: boolean }, void, undefined> {
  signal?.throwIfAborted();
  const sequence = engine.begin();
  try {
    let ids = prompt;
    for (let count = 0; count < maxNewTokens; count++) {
      const [logits] = await engine.step([{ sequence, ids }], { signal });
      const id = mostLikely(logits, prompt.length + count);
      const ends = eosTokenIds.includes(id);
      yield { id, ends };
      if (ends) return;
      ids = [id];
    }
  } finally {
    engine.free(sequence);
  }
}

/** The first of the largest. @param position of the id that is chosen, for messages. */
function mostLikely(logits: Float32Array, position: number): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id];
    if (logit > logits[best]) best = id;
    if (Number.isNaN(logit)) {
      const where = `the logits of position ${position}`;
      throw new HeddleError('ERR_ENGINE', `generate: ${where}: expected numbers, found NaN`, {
        where,
        found: 'NaN',
      });
    }
  }
  return best;
}
