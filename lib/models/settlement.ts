/** The two ends of a promise that an AbortSignal may end first. What comes after the first of them is not heard. */
export interface Settlement<R> {
  readonly settled: boolean;
  resolve(value: R): void;
  reject(reason: unknown): void;
}

/**
 * A promise that `start` settles, or an abort, through what `start` returns. Either way the signal is let go of, so that
 * one signal of many requests does not gather listeners.
 * @throws `signal.reason` before `start` is called, where the signal is aborted already
 */
export function abortable<R>(
  signal: AbortSignal | undefined,
  start: (settlement: Settlement<R>) => (reason: unknown) => void,
): Promise<R> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    let settled = false;
    const onAbort = (): void => abort(signal?.reason);
    const once =
      <T>(settle: (value: T) => void) =>
      (value: T): void => {
        if (settled) return;
        settled = true;
        signal?.removeEventListener('abort', onAbort);
        settle(value);
      };
    const settlement: Settlement<R> = {
      get settled() {
        return settled;
      },
      resolve: once(resolve),
      reject: once(reject),
    };
    const abort = start(settlement);
    if (!settled) signal?.addEventListener('abort', onAbort, { once: true });
  });
}
