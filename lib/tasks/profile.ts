import { HeddleError } from '../errors.js';
import { type ChromeTrace, chromeTrace } from '../graph/chrome_trace.js';
import { defaultBackend } from '../graph/default_backend.js';
import { NativeBackend } from '../graph/native_backend.js';
import { checkOptions, checkSizes } from '../graph/options.js';
import { addUp, type Ceilings, type RunProfile, rooflineShare } from '../graph/profile.js';
import { measureCeilings } from './ceilings.js';

/** A node of the plans that ran, added up over them. */
export interface ProfiledNode {
  /** Its place in the plan. */
  readonly index: number;
  readonly op: string;
  /** Of the layer and tensor, where they have one. */
  readonly name: string | null;
  /** Milliseconds in one call of the job, the mean of all. */
  readonly ms: number;
  /** Of the time of all nodes, 0 … 1. */
  readonly share: number;
  readonly gflops: number;
  /** GB/s, as if nothing stayed in a cache. */
  readonly gbps: number;
  /** The least time that its arithmetic or its traffic takes on this CPU, over its own; above 1 where a cache helped. */
  readonly roofline: number;
}

export interface Profile {
  /** The instruction set. */
  readonly isa: string;
  readonly ceilings: Ceilings;
  /** In order of execution. */
  readonly nodes: readonly ProfiledNode[];
  /** Every run as a document for chrome://tracing or ui.perfetto.dev. */
  trace(): ChromeTrace;
}

/**
 * Where the time goes: calls `job` once to make plans and warm caches, then `repeats` times with every node of every plan
 * timed, and measures what the CPU and the memory do at most. Timed nodes do not overlap, so the whole takes a little longer.
 *
 * @param job uses models of this process, on the native engine; other calls meanwhile are counted with it.
 * @throws ERR_UNSUPPORTED on the TypeScript backend, and where nothing ran.
 */
export async function profile(
  job: () => Promise<unknown>,
  options: { repeats?: number } = {},
): Promise<Profile> {
  checkOptions('profile', options, ['repeats']);
  const { repeats = 5 } = options;
  checkSizes('profile', { repeats });
  const backend = nativeBackend('profile');
  const runs: RunProfile[] = [];
  await job();
  const before = backend.onProfile;
  backend.onProfile = (run) => runs.push(run);
  try {
    for (let i = 0; i < repeats; i++) await job();
  } finally {
    backend.onProfile = before;
  }
  if (runs.length === 0) {
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      'profile: expected a model that runs plans, found one whose vectors are only looked up',
    );
  }
  const ceilings = await measureCeilings(backend);
  const { isa } = backend.addon.info();
  return { isa, ceilings, nodes: nodesOf(runs, repeats, ceilings), trace: () => chromeTrace(runs) };
}

/**
 * What this CPU does at most with the threads that the engine has: float32 multiply-adds from registers, and reading of
 * memory beyond the caches. Takes about a second.
 * @throws ERR_UNSUPPORTED on the TypeScript backend.
 */
export async function ceilings(): Promise<Ceilings> {
  return measureCeilings(nativeBackend('ceilings'));
}

function nativeBackend(what: string): NativeBackend {
  const backend = defaultBackend();
  if (backend instanceof NativeBackend) return backend;
  throw new HeddleError(
    'ERR_UNSUPPORTED',
    `${what}: expected the native engine, found the TypeScript backend; run: npx heddle build`,
  );
}

function nodesOf(
  runs: readonly RunProfile[],
  repeats: number,
  limits: Ceilings,
): readonly ProfiledNode[] {
  const nodes = addUp(runs);
  const total = nodes.reduce((sum, { ns }) => sum + ns, 0);
  return nodes.map((node) => {
    const { index, op, name = null, ns, flops, bytes } = node;
    const by = (amount: number): number => (ns > 0 ? amount / ns : 0);
    return {
      index,
      op,
      name,
      ms: ns / 1e6 / repeats,
      share: total > 0 ? ns / total : 0,
      gflops: by(flops),
      gbps: by(bytes),
      roofline: rooflineShare(node, limits),
    };
  });
}
