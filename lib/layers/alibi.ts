import { roundToBfloat16 } from '../graph/half_precision.js';
import { checkSizes } from '../graph/options.js';
import type { Tensor } from '../graph/tensor.js';
import type { Scope } from './scope.js';

/**
 * A slope for each head: a geometric sequence, and for a number of heads that is no power of two some of the next one's (Press et
 * al. 2022, "Train Short, Test Long", section 3).
 */
export function alibiSlopes(heads: number): number[] {
  checkSizes('alibiSlopes', { heads });
  const whole = 2 ** Math.floor(Math.log2(heads));
  const sequence = (count: number): number[] =>
    Array.from({ length: count }, (_, i) => 2 ** ((-8 * (i + 1)) / count));
  const between = sequence(2 * whole).filter((_, i) => i % 2 === 0);
  return [...sequence(whole), ...between.slice(0, heads - whole)];
}

/**
 * The bias of attention with linear biases (Press et al. 2022, "Train Short, Test Long", section 3), by the key's position
 * instead of its distance, which softmax does not tell apart. As Falcon was trained with it: slopes and biases are rounded to
 * bfloat16, and scaled like the scores that they are added to.
 *
 * @param options.maxLength positions that there are. @returns float32 [heads, 1, maxLength], a constant table.
 */
export function alibiBias(options: {
  heads: number;
  maxLength: number;
  scale: number;
  scope: Scope;
}): Tensor {
  const { heads, maxLength, scale, scope } = options;
  const data = new Float32Array(heads * maxLength);
  alibiSlopes(heads).forEach((slope, head) => {
    const rounded = roundToBfloat16(slope);
    for (let position = 0; position < maxLength; position++) {
      data[head * maxLength + position] = scale * roundToBfloat16(rounded * position);
    }
  });
  return scope.buffer('alibi', [heads, 1, maxLength], data);
}
