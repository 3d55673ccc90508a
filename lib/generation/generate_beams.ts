import type { DecoderEngine, Sequence } from '../models/decoder_engine.js';
import { BeamSearch } from './beam_search.js';
import { Candidates } from './candidates.js';
import type { GeneratedSequence } from './generate.js';
import { createProcessors, type History } from './logits_processors.js';
import { noTokenLeft } from './sampler.js';
import { ScoreRow } from './score_row.js';
import type { GenerationSettings } from './settings.js';

/**
 * Continues a prompt by beam search.
 * @param isEnd whether a text that the options name ends the sequence of these ids.
 * @returns the best sequences with their scores, best first.
 * @throws ERR_ENGINE for logits that are no numbers; ERR_ARGUMENT where the options leave no token; the signal's reason.
 */
export async function generateBeams(
  engine: DecoderEngine,
  prompt: readonly number[],
  settings: GenerationSettings,
  isEnd?: (ids: readonly number[]) => boolean,
): Promise<GeneratedSequence[]> {
  const { numBeams, doSample, seed, signal } = settings;
  const search = new BeamSearch(prompt, {
    ...settings,
    draw: doSample ? { seed } : undefined,
    isEnd,
  });
  const scorer = new BeamScorer(settings, prompt.length, engine.vocabSize);
  // Every continuation may be drawn.
  const wantsLogits = doSample || { temperature: 1 };
  /** Which sequence each running beam has in the engine; at first all have one. */
  let sequences: Sequence[] = [];
  const open = new Set<Sequence>();
  const begin = engine.begin([], prompt.length);
  open.add(begin);
  try {
    signal?.throwIfAborted();
    const [logits] = await engine.step([{ sequence: begin, ids: prompt, wantsLogits }], { signal });
    sequences = Array.from({ length: numBeams }, () => begin);
    const first = scorer.logProbabilities(logits!, search.running[0]!.ids);
    let rows = sequences.map(() => first);
    for (let tokens = 1; ; tokens++) {
      const next = search.advance(rows);
      if (next === undefined) throw noTokenLeft(prompt.length + tokens - 1);
      settings.onProgress?.({ tokens: tokens * numBeams });
      if (search.done) break;
      sequences = continueSequences(
        engine,
        sequences,
        open,
        next.map(({ parent }) => parent),
      );
      const batch = next.map(({ id }, i) => ({ sequence: sequences[i]!, ids: [id], wantsLogits }));
      const computed = await engine.step(batch, { signal });
      signal?.throwIfAborted();
      rows = computed.map((row, i) => scorer.logProbabilities(row, search.running[i]!.ids));
    }
  } finally {
    for (const sequence of open) engine.free(sequence);
  }
  return search.results(settings.numReturnSequences).map(({ ids, score }) => ({
    ids: ids.slice(prompt.length),
    score,
    finishReason: settings.eosTokenIds.includes(ids.at(-1)!) || isEnd?.(ids) ? 'stop' : 'length',
  }));
}

/** The first beam that goes on from a sequence takes it, others fork it, and those that none goes on from are freed. */
function continueSequences(
  engine: DecoderEngine,
  sequences: readonly Sequence[],
  open: Set<Sequence>,
  parents: readonly number[],
): Sequence[] {
  const taken = new Set<Sequence>();
  const next = parents.map((parent) => {
    const sequence = sequences[parent]!;
    if (!taken.has(sequence)) {
      taken.add(sequence);
      return sequence;
    }
    const forked = engine.fork(sequence);
    open.add(forked);
    return forked;
  });
  for (const sequence of new Set(sequences)) {
    if (taken.has(sequence)) continue;
    open.delete(sequence);
    engine.free(sequence);
  }
  return next;
}

/** From logits to the log-probabilities that beams are compared by. */
class BeamScorer {
  private readonly processors;
  private readonly candidates = new Candidates();

  constructor(
    private readonly settings: GenerationSettings,
    private readonly promptLength: number,
    private readonly vocabSize: number,
  ) {
    this.processors = createProcessors(settings);
  }

  logProbabilities(logits: Float32Array, ids: readonly number[]): ScoreRow {
    const row = new ScoreRow(logits, this.vocabSize);
    row.subtract(row.logSumExp(row.check(ids.length)));
    const history: History = { ids, promptLength: this.promptLength };
    for (const process of this.processors) process(row, history);
    if (!this.settings.doSample) return row;
    const { candidates, settings } = this;
    // One that ends nothing is always among them.
    candidates.select(row, settings, settings.eosTokenIds.length + 1);
    const scores = row.whole().fill(-Infinity);
    for (let i = 0; i < candidates.count; i++) scores[candidates.ids[i]!] = candidates.scores[i]!;
    return row;
  }
}
