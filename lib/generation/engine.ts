/**
 * What generation needs of a decoder: from ids to the logits of what may follow, over sequences whose keys and values it keeps.
 *
 * @typeParam Sequence the engine's own name for one sequence; nothing here looks inside.
 */
export interface DecoderEngine<Sequence = unknown> {
  /**
   * Appends ids to sequences and computes. Calls that overlap may be computed in one run.
   * @returns for each entry the logits after its last id, [vocabulary], the caller's to change.
   */
  step(
    batch: readonly { sequence: Sequence; ids: readonly number[] }[],
    options?: { signal?: AbortSignal | undefined },
  ): Promise<Float32Array[]>;
  /** A sequence of no ids. */
  begin(): Sequence;
  /** A sequence that continues after the same ids; what is common is shared. */
  fork(sequence: Sequence): Sequence;
  free(sequence: Sequence): void;
}
