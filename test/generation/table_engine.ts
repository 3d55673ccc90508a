import type { DecoderEngine, StepItem } from '../../lib/models/decoder_engine.js';

interface TableSequence {
  ids: number[];
  isFree: boolean;
}

/** The highest of a row as the op `argmax` has it. */
export function bestOf(logits: Float32Array): Float32Array {
  const nan = logits.findIndex(Number.isNaN);
  const best = nan >= 0 ? nan : logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));
  return Float32Array.of(best, logits[best]!);
}

/** A model that is two tables: the logits after ids …, a, b are second[a] + last[b]. Holds callers to the engine's contract. */
export class TableEngine implements DecoderEngine {
  readonly maxPositions = Infinity;
  /** Sequences that were not freed. */
  open = 0;
  /** Entries of each step. */
  readonly steps: number[] = [];

  constructor(private readonly tables: { last: number[][]; second: number[][] }) {}

  get vocabSize(): number {
    return this.tables.last.length;
  }

  begin(): TableSequence {
    this.open++;
    return { ids: [], isFree: false };
  }

  fork(sequence: TableSequence): TableSequence {
    this.check(sequence);
    this.open++;
    return { ids: sequence.ids.slice(), isFree: false };
  }

  free(sequence: TableSequence): void {
    this.check(sequence);
    sequence.isFree = true;
    this.open--;
  }

  async step(
    batch: readonly (StepItem & { sequence: TableSequence })[],
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<Float32Array[]> {
    signal?.throwIfAborted();
    this.steps.push(batch.length);
    if (new Set(batch.map(({ sequence }) => sequence)).size < batch.length) {
      throw new Error('a sequence twice in a batch');
    }
    await new Promise(setImmediate);
    return batch.map(({ sequence, ids, wantsLogits }) => {
      this.check(sequence);
      if (ids.length === 0) throw new Error('no ids');
      sequence.ids.push(...ids);
      const logits = this.logitsAfter(sequence.ids);
      return wantsLogits === 'best' ? bestOf(logits) : logits;
    });
  }

  logitsAfter(ids: readonly number[]): Float32Array {
    const last = Float32Array.from(this.tables.last[ids.at(-1)!]!);
    const second = Float32Array.from(this.tables.second[ids.at(-2) ?? ids.at(-1)!]!);
    return last.map((value, id) => value + second[id]!);
  }

  private check(sequence: TableSequence): void {
    if (sequence.isFree) throw new Error('a sequence that was freed');
  }
}
