/** Tokens as interacting particles on a sphere, and the clusters that they form. */
import { AttentionField } from './attention_field.js';
import { ClusterCounter, type Plateau, plateausOf } from './clusters.js';
import { integrate } from './dormand_prince.js';
import { checkParticles, type ParticleOptions } from './options.js';

export interface ParticleRun {
  /** Evenly from 0 to `time`. */
  times: number[];
  /** At each of the times, as the other two: the mean of ⟨x_i, x_j⟩ over all i ≠ j; 1 where there is one particle. */
  meanInnerProduct: number[];
  /**
   * 1/(2βn²) Σ_i Σ_j e^{β⟨Qx_i, Kx_j⟩}; for β = 0, 1/(2n²) Σ_i Σ_j ⟨Qx_i, Kx_j⟩. Infinity where float64 does not reach.
   */
  energy: number[];
  /** Connected components of particles not farther apart than the threshold. */
  clusters: number[];
  /** Metastable states: stretches of at least a tenth of the time in which the number of clusters stays the same. */
  plateaus: Plateau[];
  /** At the end: float64 [n·d], unit vectors one after the other. */
  positions: Float64Array;
  /** Of the integrator: accepted steps, steps that were tried again with a shorter one, computations of all velocities. */
  steps: number;
  rejected: number;
  evaluations: number;
  /** The one that was used: what was asked for, or what float32 can reach. */
  tolerance: number;
}

/**
 * Follows n tokens on the sphere S^{d−1} under self-attention (Geshkovski, Letrouit, Polyanskiy & Rigollet 2023, "A
 * mathematical perspective on transformers", equations SA and USA):
 *
 *     ẋ_i = P_{x_i}( (1/Z_i) Σ_j e^{β⟨Qx_i, Kx_j⟩} Vx_j ),  Z_i = Σ_k e^{β⟨Qx_i, Kx_k⟩} (`sa`) or n (`usa`)
 *
 * Velocities are float32, by the attention kernel: O(n²·d) time, O(n·d) memory. Positions and the adaptive Runge–Kutta method
 * (Dormand & Prince 1980) are float64. The same options give the same run on one machine.
 *
 * @throws HeddleError ERR_ARGUMENT for options that are not what they should be, among them n or d below 1, numbers that are not
 * finite and orthogonal particles with n > d; and for (USA) with e^{β…} out of float64's range, or with more than
 * `maxSteps` steps. An abort rejects with `signal.reason`.
 */
export async function particles(options: ParticleOptions): Promise<ParticleRun> {
  const checked = checkParticles(options);
  const { system, start, time, samples, clusterThreshold, maxSteps, tolerance } = checked;
  const { n, d } = system;
  const { signal, onProgress, onSample } = options;
  signal?.throwIfAborted();
  const field = new AttentionField(system);
  const counter = new ClusterCounter(n, d, clusterThreshold);
  const run: ParticleRun = {
    times: [],
    meanInnerProduct: [],
    energy: [],
    clusters: [],
    plateaus: [],
    positions: start,
    steps: 0,
    rejected: 0,
    evaluations: 0,
    tolerance,
  };
  const sample = async (at: number, positions: Float64Array): Promise<void> => {
    const meanInner = meanInnerProduct(positions, n, d);
    const energy = await field.energy(positions, signal);
    const clusters = await counter.count(positions, signal);
    run.times.push(at);
    run.meanInnerProduct.push(meanInner);
    run.energy.push(energy);
    run.clusters.push(clusters);
    await onSample?.({ time: at, meanInnerProduct: meanInner, energy, clusters, positions });
  };
  try {
    await sample(0, start);
    const velocity = (x: Float64Array, out: Float64Array): Promise<void> =>
      field.velocity(x, out, signal);
    const steps = integrate(velocity, start, { d, end: time, tolerance, maxSteps });
    const positions = new Float64Array(n * d);
    for await (const step of steps) {
      const next = (): number =>
        run.times.length === samples - 1 ? time : (time * run.times.length) / (samples - 1);
      while (run.times.length < samples && next() <= step.to) {
        const at = next();
        step.at(at, positions);
        await sample(at, positions);
      }
      run.steps++;
      run.evaluations = step.evaluations;
      run.rejected = step.rejected;
      if (step.to === time) step.at(time, positions);
      onProgress?.({ time: step.to, total: time, evaluations: step.evaluations });
      signal?.throwIfAborted();
    }
    if (time > 0) run.positions = positions;
    run.plateaus = plateausOf(run.times, run.clusters);
    return run;
  } finally {
    await Promise.all([field.dispose(), counter.dispose()]);
  }
}

/** Mean of ⟨x_i, x_j⟩ over i ≠ j, from |Σ x_i|² = n + Σ_{i≠j} ⟨x_i, x_j⟩. */
function meanInnerProduct(x: Float64Array, n: number, d: number): number {
  if (n === 1) return 1;
  const sums = new Float64Array(d);
  for (let i = 0; i < x.length; i++) sums[i % d] += x[i];
  const square = sums.reduce((total, sum) => total + sum ** 2, 0);
  return (square - n) / (n * (n - 1));
}
