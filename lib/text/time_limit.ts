import { createContext, Script } from 'node:vm';

const context = createContext({ body: undefined as (() => unknown) | undefined });
const script = new Script('body()');

/** Tries that are given to a body on a machine too busy to run it. */
const tries = 6;

/**
 * Runs a function on this thread and ends it after some milliseconds, wherever it is: V8 terminates what runs under the
 * watchdog of node:vm, also code of other contexts. Costs about 0.1 ms.
 *
 * The watchdog's clock runs while others have the processor. So the time is given in two halves; one in which this process
 * hardly ran does not count, and is followed by one twice as long.
 * @param body without effects that matter when it is ended and begun again.
 * @returns undefined where it was ended.
 */
export function withTimeLimit<T extends object>(
  milliseconds: number,
  body: () => T,
): T | undefined {
  let half = Math.ceil(milliseconds / 2);
  let halves = 0;
  for (let i = 0; i < tries && halves < 2; i++) {
    const before = process.cpuUsage();
    const result = run(half, body);
    if (result !== undefined) return result;
    const { user, system } = process.cpuUsage(before);
    if ((user + system) / 1000 > half / 2) halves++;
    else half *= 2;
  }
  return undefined;
}

function run<T extends object>(milliseconds: number, body: () => T): T | undefined {
  context.body = body;
  try {
    return script.runInContext(context, { timeout: milliseconds }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined;
    throw error;
  } finally {
    context.body = undefined;
  }
}
