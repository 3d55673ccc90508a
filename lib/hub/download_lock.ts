/**
 * Keeps two downloads from fetching the same file at once. Python locks with flock(2), which Node does not have, so the two
 * do not wait for each other; no lock is needed for correctness, since both write files of their own and rename them.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** The holder says so often that it lives, and is taken for dead after so long, ms. */
const beat = 3000;
const dead = 30_000;
const pollEvery = 200;

export interface HeldLock {
  release(): Promise<void>;
}

/**
 * Waits until the lock is free, or its holder dead: ended (on this machine), or silent for half a minute.
 * @throws the signal's reason; errors of the file system.
 */
export async function lock(path: string, signal: AbortSignal | undefined): Promise<HeldLock> {
  const own = JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() });
  await mkdir(dirname(path), { recursive: true });
  let seen: { state: string; at: number } | undefined;
  while (!(await create(path, own))) {
    const holder = await stateOf(path);
    if (holder === undefined) continue; // released just now
    // By this machine's clock: the file's time may be another's.
    if (holder.state !== seen?.state) seen = { state: holder.state, at: performance.now() };
    if (hasEnded(holder.owner) || performance.now() - seen.at > dead) {
      if ((await stateOf(path))?.state === holder.state) await rm(path, { force: true });
      continue;
    }
    await wait(pollEvery, undefined, signal ? { signal } : {}).catch(() =>
      signal?.throwIfAborted(),
    );
  }
  const timer = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {}); // somebody took it for dead
  }, beat);
  timer.unref();
  return {
    release: async () => {
      clearInterval(timer);
      if ((await stateOf(path))?.owner === own) await rm(path, { force: true });
    },
  };
}

async function create(path: string, own: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o664);
    await file.writeFile(own).finally(() => file.close());
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function stateOf(path: string): Promise<{ owner: string; state: string } | undefined> {
  try {
    const owner = await readFile(path, 'utf8');
    return { owner, state: `${owner} ${(await stat(path)).mtimeMs}` };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether the owner is a process of this machine that is no more. */
function hasEnded(owner: string): boolean {
  try {
    const { pid, host } = JSON.parse(owner);
    if (host !== hostname() || !Number.isSafeInteger(pid) || pid <= 0) return false;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    // Not JSON: being written. EPERM: another user's.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
