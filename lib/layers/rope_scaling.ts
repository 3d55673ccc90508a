/**
 * Frequencies of rotary positions for contexts longer than the one a model was first trained on, as Hugging Face computes
 * them (modeling_rope_utils.py): in float32, in which models were trained with them.
 */
import { HeddleError } from '../errors.js';

export type RopeScaling =
  | { kind: 'default' | 'dynamic' }
  /** All angles divided by `factor` (Chen et al. 2023, "Position Interpolation"). */
  | { kind: 'linear'; factor: number }
  /** Long wavelengths divided, short ones kept, the rest in between (Llama 3.1). */
  | { kind: 'llama3'; factor: number; low: number; high: number; original: number }
  /** Peng et al. 2023, "YaRN", section 3.2; `truncate`: the ramp begins and ends at whole components. */
  | {
      kind: 'yarn';
      factor: number;
      original: number;
      betaFast: number;
      betaSlow: number;
      truncate: boolean;
    }
  /** A divisor for each angle, one set up to `original` positions and one beyond (Ding et al. 2024, "LongRoPE"). */
  | { kind: 'longrope'; short: readonly number[]; long: readonly number[] };

/** @param dims components that are turned; an odd number is taken as one more. @returns a set of frequencies for each variant of the angles. */
export function scaledFrequencies(
  dims: number,
  base: number,
  scaling: RopeScaling,
): [number[], ...number[][]] {
  const angles = Math.ceil(dims / 2);
  const plain = Array.from({ length: angles }, (_, i) => Math.fround(1 / base ** ((2 * i) / dims)));
  switch (scaling.kind) {
    case 'default':
    case 'dynamic': // which changes the base only beyond the positions that the model has
      return [plain];
    case 'linear':
      return [plain.map((frequency) => Math.fround(frequency / scaling.factor))];
    case 'llama3':
      return [plain.map((frequency) => llama3(frequency, scaling))];
    case 'yarn':
      return [yarn(plain, dims, base, scaling)];
    case 'longrope': {
      const divided = (name: string, divisors: readonly number[]): number[] => {
        if (divisors.length !== plain.length) {
          const message = `config.json: ${name}: expected ${plain.length} numbers, found ${divisors.length}`;
          throw new HeddleError('ERR_CONFIG', message, { where: name });
        }
        return plain.map((frequency, i) => Math.fround(frequency / divisors[i]));
      };
      return [divided('short_factor', scaling.short), divided('long_factor', scaling.long)];
    }
  }
}

function llama3(
  frequency: number,
  { factor, low, high, original }: Extract<RopeScaling, { kind: 'llama3' }>,
): number {
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < original / high) return frequency;
  if (wavelength > original / low) return Math.fround(frequency / factor);
  const smooth = (original / wavelength - low) / (high - low);
  return Math.fround(((1 - smooth) * frequency) / factor + smooth * frequency);
}

function yarn(
  plain: readonly number[],
  dims: number,
  base: number,
  { factor, original, betaFast, betaSlow, truncate }: Extract<RopeScaling, { kind: 'yarn' }>,
): number[] {
  /** The component that turns so many times within the original context. */
  const componentOf = (rotations: number): number =>
    (dims * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(base));
  const [first, last] = [componentOf(betaFast), componentOf(betaSlow)];
  const begin = Math.max(truncate ? Math.floor(first) : first, 0);
  const end = Math.min(truncate ? Math.ceil(last) : last, dims - 1);
  const width = begin === end ? 0.001 : end - begin;
  return plain.map((frequency, i) => {
    const ramp = Math.min(1, Math.max(0, (i - begin) / width));
    return Math.fround((frequency / factor) * ramp + frequency * (1 - ramp));
  });
}
