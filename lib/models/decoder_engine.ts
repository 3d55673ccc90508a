/** What text generation needs of a language model, whatever is inside. */

/** A text that is being read or written. Made by an engine, and used with that one alone. */
export interface Sequence {
  /** Ids given so far, those that a next step will compute first included. */
  readonly ids: readonly number[];
}

/** One sequence's part in a step. */
export interface StepItem {
  readonly sequence: Sequence;
  /** Ids that follow those given before; none only where some of these are not computed yet. */
  readonly ids: readonly number[];
  /**
   * Default true: what follows the last id. False where nobody wants the logits, as after a part of a prompt; then they are
   * empty. `all`: what follows each of the ids, [ids, vocabSize]. `best`: of what follows the last id only the highest, as [2]:
   * its id, of equal ones the lowest, and its logit; where there are NaN, the id of one and NaN. With a temperature: what
   * `logitBlocks` gives of the logits at it, for which an engine may give the logits alone.
   */
  readonly wantsLogits?: WantedLogits;
}

export type WantedLogits = boolean | 'all' | 'best' | { readonly temperature: number };

export interface DecoderEngine {
  readonly vocabSize: number;
  /** The most ids of one sequence. */
  readonly maxPositions: number;
  /**
   * Computes all items. @returns for each the logits of what follows its last id, float32 [vocabSize], the caller's to change,
   * or what `wantsLogits` says.
   * A sequence's result does not depend on the others.
   * @throws ERR_INPUT for ids outside the vocabulary and sequences that are too long; ERR_MEMORY where the cache is full;
   * ERR_ARGUMENT for a sequence that is in another step, given twice or freed. Then nothing has changed.
   */
  step(
    batch: readonly StepItem[],
    options?: { signal?: AbortSignal | undefined },
  ): Promise<Float32Array[]>;
  /**
   * @param ids that the first step computes before its own.
   * @param expected how long the text will be at least: some models read long texts otherwise from their first id on.
   */
  begin(ids?: readonly number[], expected?: number): Sequence;
  /** A sequence with the same ids, which shares what is cached of them. */
  fork(sequence: Sequence): Sequence;
  /** Gives the sequence's memory back; may be called again. */
  free(sequence: Sequence): void;
}
