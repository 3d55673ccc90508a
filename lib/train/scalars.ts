/** Numbers that are computed inside a plan: float32 [1], from the ops that optimisers are made of. */
import { type Tensor, tensor } from '../graph/tensor.js';
import { activation, descend, moment, scale } from '../ops/index.js';

const constant = (...numbers: number[]): Tensor => tensor(Float32Array.from(numbers));

/** value / (√squares + epsilon); squares: [1]. */
function overRoot(value: Tensor, squares: Tensor, epsilon: number): Tensor {
  return descend(constant(0), scale(value, -1), constant(1, 1, 1), { squares, epsilon });
}

/** √x of a number that is not negative. */
export const root = (x: Tensor): Tensor => overRoot(x, x, 1e-30);

/** 1 / (√x + epsilon). */
export const inverseRoot = (x: Tensor, epsilon: number): Tensor =>
  overRoot(constant(1), x, epsilon);

/** max(x, least), element by element, of any shape. */
export const atLeast = (x: Tensor, least: number): Tensor =>
  scale(activation(scale(x, 1, -least), 'relu'), 1, least);

/** factor·x, of any shape; factor: [1]. */
export const times = (x: Tensor, factor: Tensor): Tensor =>
  moment(x, x, { keep: 0, take: 1, factor });
