/** The velocities and the energy of the particles, on the attention ops: O(n²) time in fused kernels, O(n) memory. */
import { HeddleError } from '../../errors.js';
import type { Backend } from '../../graph/backend.js';
import { type CompiledGraph, compile } from '../../graph/run.js';
import { input, type Tensor, tensor } from '../../graph/tensor.js';
import { attention } from '../../ops/attention.js';
import { columns } from '../../ops/columns.js';
import { matmul } from '../../ops/gemm.js';

export type Dynamics = 'sa' | 'usa';

/** A d × d matrix: `factor` times `entries` (row-major), or times the identity where there are none. */
export interface Matrix {
  readonly factor: number;
  readonly entries?: Float64Array;
}

export interface SystemOptions {
  readonly n: number;
  readonly d: number;
  readonly beta: number;
  readonly dynamics: Dynamics;
  readonly query: Matrix;
  readonly key: Matrix;
  readonly value: Matrix;
}

/** Below this a share of the softmax may have lost digits to the smallest numbers of float32. */
const smallestShare = 1e-30;

type GraphName = 'sa' | 'usa' | 'energy' | 'meanKeys';

/**
 * The interacting particles of Geshkovski, Letrouit, Polyanskiy & Rigollet 2023, "A mathematical perspective on transformers",
 * equations (SA) and (USA): ẋ_i = P_{x_i}( (1/Z_i) Σ_j e^{β⟨Qx_i, Kx_j⟩} Vx_j ), where P_x y = y − ⟨x, y⟩x and
 * Z_i = Σ_k e^{β⟨Qx_i, Kx_k⟩} (SA) or Z_i = n (USA).
 *
 * (SA) is attention of one head with scale β. What (USA) and the energy need beyond it, Z_i, attention does not return; an
 * additional key does: it has the score ℓ_i, a lower bound of log Z_i, and a value that no other key has, so that this column of
 * the result is its weight w_i = e^{ℓ_i} / (Z_i + e^{ℓ_i}), and Z_i + e^{ℓ_i} = e^{ℓ_i} / w_i. The bound keeps w_i ≤ ½, where
 * nothing cancels.
 */
export class AttentionField {
  private readonly graphs = new Map<GraphName, Promise<CompiledGraph>>();
  private readonly positions: Float32Array;
  /** β with the factors of Q and K. */
  private readonly scale: number;

  constructor(
    private readonly system: SystemOptions,
    private readonly backend?: Backend,
  ) {
    this.scale = system.beta * system.query.factor * system.key.factor;
    this.positions = new Float32Array(system.n * system.d);
  }

  /** Writes the velocities at x / |x| into `out`. x: float64 [n·d]. */
  async velocity(x: Float64Array, out: Float64Array, signal?: AbortSignal): Promise<void> {
    const { n, d, dynamics, value } = this.system;
    const lengths = this.place(x);
    if (dynamics === 'sa') {
      const graph = await this.graph('sa');
      const { result } = await graph.run({ x: this.positions }, undefined, { signal });
      const { data } = result as { data: Float32Array };
      for (let i = 0; i < out.length; i++) out[i] = value.factor * data[i];
    } else {
      const { data, logSums } = await this.rows('usa', d + 1, signal);
      for (let row = 0; row < n; row++) {
        // Value and weight share the denominator Z + e^ℓ, which is made good for here.
        const factor = (value.factor * Math.exp(logSums[row])) / n;
        for (let i = 0; i < d; i++) out[row * d + i] = factor * data[row * (d + 1) + i];
      }
    }
    project(out, x, lengths, d, dynamics);
  }

  /**
   * E_β = 1/(2βn²) Σ_i Σ_j e^{β⟨Qx_i, Kx_j⟩} (section 3 of the paper, where Q = K = I); for β = 0 its limit but for a constant,
   * 1/(2n²) Σ_i Σ_j ⟨Qx_i, Kx_j⟩. Infinity where float64 does not reach.
   */
  async energy(x: Float64Array, signal?: AbortSignal): Promise<number> {
    const { n, beta, query, key } = this.system;
    this.place(x);
    if (beta === 0) {
      const mean = this.mean();
      return (query.factor * key.factor * dot(apply(query, mean), apply(key, mean))) / 2;
    }
    const { data, logSums } = await this.rows('energy', 1, signal);
    let sum = 0;
    // e^{log(Z + e^ℓ)} less the additional key's own share of it
    for (let row = 0; row < n; row++) sum += Math.exp(logSums[row]) * (1 - data[row]);
    return sum / (2 * beta * n * n);
  }

  async dispose(): Promise<void> {
    const graphs = await Promise.allSettled(this.graphs.values());
    this.graphs.clear();
    for (const graph of graphs) if (graph.status === 'fulfilled') graph.value.dispose();
  }

  /** Takes positions over as float32 unit vectors. @returns their lengths. */
  private place(x: Float64Array): Float64Array {
    const { n, d } = this.system;
    const lengths = new Float64Array(n);
    for (let row = 0; row < n; row++) {
      let square = 0;
      for (let i = row * d; i < (row + 1) * d; i++) square += x[i] ** 2;
      lengths[row] = Math.sqrt(square);
      for (let i = row * d; i < (row + 1) * d; i++) this.positions[i] = x[i] / lengths[row];
    }
    return lengths;
  }

  private mean(): Float64Array {
    const { n, d } = this.system;
    const mean = new Float64Array(d);
    for (let i = 0; i < n * d; i++) mean[i % d] += this.positions[i] / n;
    return mean;
  }

  /**
   * Attention with the additional key. @returns its float32 result [n, width], whose last column are the weights of that key, and
   * log(Z_i + e^{ℓ_i}) for each row.
   */
  private async rows(
    kind: 'usa' | 'energy',
    width: number,
    signal?: AbortSignal,
  ): Promise<{ data: Float32Array; logSums: Float64Array }> {
    const { n, d } = this.system;
    const graph = await this.graph(kind);
    const queries = new Float32Array(n * (d + 1));
    const keys = new Float32Array((n + 1) * (d + 1));
    const bounds = this.bounds();
    for (let row = 0; row < n; row++) {
      for (let i = 0; i < d; i++) {
        const value = this.positions[row * d + i];
        queries[row * (d + 1) + i] = this.scale * value;
        keys[row * (d + 1) + i] = value;
      }
    }
    keys[keys.length - 1] = 1;
    for (const isLast of [false, true]) {
      for (let row = 0; row < n; row++) queries[row * (d + 1) + d] = bounds[row];
      const { result } = await graph.run({ queries, keys }, undefined, { signal });
      const { data } = result as { data: Float32Array };
      const logSums = new Float64Array(n);
      let least = Infinity;
      for (let row = 0; row < n; row++) {
        const weight = data[(row + 1) * width - 1];
        if (!(weight >= least)) least = weight;
        logSums[row] = bounds[row] - Math.log(weight);
      }
      if (least >= smallestShare) return { data, logSums };
      if (isLast || Number.isNaN(least)) break;
      bounds.set(await this.closeBounds(signal));
    }
    throw notFinite('weights');
  }

  /** Lower bounds of log Z_i: log n + β⟨Qx_i, K·mean⟩ by Jensen's inequality, and the particle's own term where Q = K. */
  private bounds(): Float32Array {
    const { n, d, query, key } = this.system;
    const towards = applyTransposed(query, apply(key, this.mean()));
    const own = query.entries || key.entries ? -Infinity : this.scale;
    const bounds = new Float32Array(n);
    for (let row = 0; row < n; row++) {
      let along = 0;
      for (let i = 0; i < d; i++) along += this.positions[row * d + i] * towards[i];
      bounds[row] = Math.max(own, Math.log(n) + this.scale * along);
    }
    return bounds;
  }

  /**
   * Lower bounds of log Z_i that are at most log n too low, for another pass of attention: the mean score under the softmax, which
   * is log Z_i less the entropy.
   */
  private async closeBounds(signal?: AbortSignal): Promise<Float32Array> {
    const { n, d } = this.system;
    const graph = await this.graph('meanKeys');
    const { q, mean } = await graph.run({ x: this.positions }, undefined, { signal });
    const [queries, keys] = [q, mean].map((array) => array?.data) as [Float32Array, Float32Array];
    const bounds = new Float32Array(n);
    for (let row = 0; row < n; row++) {
      let along = 0;
      for (let i = row * d; i < (row + 1) * d; i++) along += queries[i] * keys[i];
      bounds[row] = this.scale * along;
    }
    return bounds;
  }

  private graph(name: GraphName): Promise<CompiledGraph> {
    let graph = this.graphs.get(name);
    if (!graph) {
      const outputs =
        name === 'usa' || name === 'energy' ? this.unnormalized(name) : this.normalized(name);
      graph = compile(outputs, undefined, this.backend ? { backend: this.backend } : {});
      this.graphs.set(name, graph);
    }
    return graph;
  }

  private normalized(name: 'sa' | 'meanKeys'): Record<string, Tensor> {
    const { n, d, query, key, value } = this.system;
    const x = input('x', [n, d], 'float32');
    const options = { heads: 1, segments: tensor(Int32Array.of(0, n)), scale: this.scale };
    const [q, k] = [times(x, query, d), times(x, key, d)];
    if (name === 'meanKeys') return { q, mean: attention(q, k, k, options) };
    return { result: attention(q, k, times(x, value, d), options) };
  }

  private unnormalized(name: 'usa' | 'energy'): Record<string, Tensor> {
    const { n, d, query, key, value } = this.system;
    const x = input('queries', [n, d + 1], 'float32');
    const y = input('keys', [n + 1, d + 1], 'float32');
    const last = { first: d, step: 1, size: 1, count: 1 };
    const values = name === 'usa' ? times(y, value, d) : columns(y, last);
    const result = attention(times(x, query, d), times(y, key, d), values, {
      heads: 1,
      segments: tensor(Int32Array.of(0, n)),
      keySegments: tensor(Int32Array.of(0, n + 1)),
      scale: 1,
    });
    return { result };
  }
}

/** x·Mᵀ without M's factor; a column beyond the d-th stays as it is. */
function times(x: Tensor, { entries }: Matrix, d: number): Tensor {
  if (!entries) return x;
  const width = Number(x.shape[1]);
  const data = new Float32Array(width * width);
  for (let row = 0; row < d; row++) {
    data.set(entries.subarray(row * d, (row + 1) * d), row * width);
  }
  if (width > d) data[data.length - 1] = 1;
  return matmul(x, tensor(data, [width, width]), { transposeB: true });
}

/** M·x without M's factor. */
function apply({ entries }: Matrix, x: Float64Array): Float64Array {
  if (!entries) return x;
  const d = x.length;
  return x.map((_, row) => dot(entries.subarray(row * d, (row + 1) * d), x));
}

function applyTransposed({ entries }: Matrix, x: Float64Array): Float64Array {
  if (!entries) return x;
  const result = new Float64Array(x.length);
  entries.forEach((entry, i) => {
    result[i % x.length] += entry * (x[Math.floor(i / x.length)] as number);
  });
  return result;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** out_i −= ⟨out_i, u⟩u, where u = x_i / |x_i|. */
function project(
  out: Float64Array,
  x: Float64Array,
  lengths: Float64Array,
  d: number,
  dynamics: Dynamics,
): void {
  for (let row = 0; row < lengths.length; row++) {
    let along = 0;
    for (let i = row * d; i < (row + 1) * d; i++) along += out[i] * x[i];
    if (!Number.isFinite(along))
      throw dynamics === 'sa' ? valueTooGreat() : notFinite('velocities');
    const factor = along / lengths[row] ** 2;
    for (let i = row * d; i < (row + 1) * d; i++) out[i] -= factor * x[i];
  }
}

/** Weights of the softmax are at most 1: it is V that is out of range. */
const valueTooGreat = (): HeddleError =>
  new HeddleError(
    'ERR_ARGUMENT',
    'particles: value: expected finite velocities, found some that are not: V is out of range; take a smaller one',
    { where: 'particles: value' },
  );

const notFinite = (what: string): HeddleError =>
  new HeddleError(
    'ERR_ARGUMENT',
    `particles: expected finite ${what}, found some that are not: e^{β⟨Qx, Kx⟩} is out of range; take a smaller beta, or dynamics 'sa'`,
    { where: 'particles: beta' },
  );
