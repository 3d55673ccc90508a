/**
 * Loads the addon: the only untyped boundary of the library, and the only reader of HEDDLE_* variables.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, HeddleError } from './errors.js';

/**
 * Storage types, numbered as `DType` in native/kernels/kernel.h. An int8 tensor has two dims and a scale for each row
 * (native/kernels/quantized.h), an int4 tensor a scale and a minimum for each block of 32 of a row (quantized_blocks.h); both
 * are made from float32, and read as float32. `int8Blocks` are activations on their way, never a state.
 */
export const nativeDTypes = [
  'float32',
  'float16',
  'bfloat16',
  'int32',
  'int8',
  'int4',
  'int8Blocks',
] as const;
export type NativeDType = (typeof nativeDTypes)[number];

/** Native memory that outlives a run; see native/api.h. Freed by `release`, or by the garbage collector. */
export interface NativeState {
  readonly bytes: number;
  /** Gives back this handle's share; the memory goes with the last handle and the last plan. Idempotent. */
  release(): void;
  /** A copy of the contents, row-major: Float32Array (int8 and int4 too), Int32Array, or Uint16Array of half-precision bits. */
  read(): Float32Array | Int32Array | Uint16Array;
}

export interface NativePlan {
  readonly arenaBytes: number;
  release(): void;
}

export interface NativeCancel {
  cancel(): void;
}

/** A range of a file that holds one tensor, as its header describes it. Checked again natively. */
export interface FileRange {
  path: string;
  offset: number;
  bytes: number;
  dtype: 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';
  dims: number[];
}

/** How a state is laid out: as it is, or packed for `linear` from [n,k] or (transposed) from [k,n]. */
export type NativeForm = 'plain' | 'packed' | 'packedTransposed';

export interface NativeAddon {
  /** Chooses instruction set and threads. Once made, the choice of the set holds for the process: another is an error. */
  start(options: { isa?: string; threads?: number }): void;
  /** Facts about this build and this CPU. */
  info(): {
    isa: string;
    isas: string[];
    threads: number;
    openmp: boolean;
    version: string;
  };
  /** Kernel names; a name's index is the kernel's id in a plan. */
  kernels(): string[];
  /** Size of the team, 1 … 256; takes effect at the next run. For benches; HEDDLE_THREADS is the user's switch. */
  setThreads(threads: number): void;
  /** Counts since the process began, and what is alive now. */
  counters(): {
    runs: number;
    nodes: number;
    states: number;
    stateBytes: number;
    plans: number;
    packs: number;
  };
  /**
   * Reads a tensor on the engine thread, converted to `dtype`; or several matrices of as many columns, as one with the rows of all.
   * Same ranges, dtype and form: same memory.
   */
  loadState(
    sources: readonly FileRange[],
    dtype: NativeDType,
    form: NativeForm,
  ): Promise<NativeState>;
  /** Copies `data` (or zeros) into native memory. Half precision is given as Uint16Array of bits, int8 and int4 as Float32Array. */
  createState(dtype: NativeDType, dims: number[], data: ArrayBufferView | null): NativeState;
  /** Checks `words` (native/plan_format.h) against `states`; throws what is wrong and at which node. */
  createPlan(words: BigInt64Array, states: NativeState[]): NativePlan;
  createCancel(): NativeCancel;
  /**
   * Runs a plan on the engine thread. `symbols`: actual sizes of the symbolic dims. `inputs`: one
   * Float32Array or Int32Array for each input, copied before the call returns. Resolves to one Float32Array
   * for each output. `profile`: filled with start and end of each node, nanoseconds from the run's start.
   */
  run(
    plan: NativePlan,
    symbols: number[],
    inputs: (Float32Array | Int32Array)[],
    cancel: NativeCancel | null,
    profile: Float64Array | null,
  ): Promise<Float32Array[]>;
}

/**
 * HEDDLE_BACKEND=reference forces the TypeScript backend, =native refuses it; HEDDLE_ISA forces an instruction set and
 * HEDDLE_THREADS the size of the team.
 */
export const settings = {
  backend: process.env.HEDDLE_BACKEND,
  isa: process.env.HEDDLE_ISA,
  threads: process.env.HEDDLE_THREADS,
};

/** The folder that holds package.json, found from this file, in a clone as in an installed package. */
export function packageRoot(): string {
  if (!root) {
    root = dirname(fileURLToPath(import.meta.url));
    while (!existsSync(join(root, 'binding.gyp'))) {
      const parent = dirname(root);
      if (parent === root) throw new Error('heddle: cannot find the folder of the package');
      root = parent;
    }
  }
  return root;
}
let root: string | undefined;

/**
 * The addon, or why there is none. Loaded once; decides nothing about what happens without it.
 * @throws ERR_ARGUMENT for a HEDDLE_ISA or HEDDLE_THREADS that cannot be.
 */
export function loadAddon(): { addon: NativeAddon } | { addon?: undefined; reason: string } {
  loaded ??= load();
  return loaded;
}
let loaded: ReturnType<typeof load> | undefined;

function load(): { addon: NativeAddon } | { addon?: undefined; reason: string } {
  if (settings.backend === 'reference') return { reason: 'HEDDLE_BACKEND=reference' };
  const file = join(packageRoot(), 'build', 'Release', 'heddle.node');
  if (!existsSync(file)) return { reason: 'the addon is not built' };
  let addon: NativeAddon;
  const restore = sleepBetweenRuns();
  try {
    addon = createRequire(import.meta.url)(file) as NativeAddon;
  } catch (error) {
    return { reason: `the addon does not load: ${(error as Error).message}` };
  } finally {
    restore();
  }
  start(addon);
  return { addon };
}

/**
 * OpenMP's threads spin for milliseconds after each run, and on a busy machine take the time that the event loop and other
 * processes need. The library reads its environment while it is loaded; what the user has set there stays. In a worker
 * thread, whose environment is a copy, this does nothing: there the addon has mostly been loaded by the main thread.
 */
function sleepBetweenRuns(): () => void {
  const { env } = process;
  if (env.OMP_WAIT_POLICY !== undefined || env.GOMP_SPINCOUNT !== undefined) return () => {};
  env.OMP_WAIT_POLICY = 'passive';
  return () => {
    delete env.OMP_WAIT_POLICY;
  };
}

function start(addon: NativeAddon): void {
  const { isa, threads } = settings;
  if (threads && !(/^\d+$/.test(threads) && Number(threads) >= 1 && Number(threads) <= 256)) {
    throw new HeddleError(
      'ERR_ARGUMENT',
      `HEDDLE_THREADS: expected a whole number from 1 to 256, found '${threads}'`,
      { where: 'HEDDLE_THREADS', found: threads },
    );
  }
  try {
    addon.start({ ...(isa ? { isa } : {}), ...(threads ? { threads: Number(threads) } : {}) });
  } catch (cause) {
    const { code, message } = cause as Error & { code: ErrorCode };
    throw new HeddleError(code, `HEDDLE_ISA: ${message}`, { where: 'HEDDLE_ISA', cause });
  }
}
