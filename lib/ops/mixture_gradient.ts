/** The gradients of mixtures of experts; what they compute stands in native/kernels/mixture_gradient.h. */
import { bytesOf, type GradientCall, registerOp } from '../graph/rules.js';
import type { Shape } from '../graph/shape.js';
import { furtherResult, record, type Tensor } from '../graph/tensor.js';
import { dims, expectFloat32, fixed, float32 } from './operands.js';
import { routingOf } from './routing.js';

const routeRule = registerOp<{ chosen: number; normalised: boolean }>({
  name: 'routeExpertsGradient',
  operands: ['logits', 'routing', 'gradient'],
  infer([logits, routing, gradient], { chosen }) {
    const [rows, experts] = dims(float32(logits, 'logits'), 'logits', ['rows', 'experts']);
    expectFloat32(routing, 'routing', [rows, 4 * chosen]);
    expectFloat32(gradient, 'gradient', [rows, 4 * chosen]);
    return { shape: [rows, experts], dtype: 'float32' };
  },
  reference([logits, routing, gradient], { chosen, normalised }, { shape, data }) {
    const [rows, experts] = shape;
    const { places, experts: expertOf, weights } = routingOf(routing);
    const slopes = routingOf(gradient).weights;
    for (let row = 0; row < rows; row++) {
      const own = places.subarray(row * chosen, (row + 1) * chosen);
      let along = 0;
      for (const place of own) along += weights[place] * slopes[place];
      const values = logits.data.subarray(row * experts, (row + 1) * experts);
      const largest = Math.max(...values);
      let total = 0;
      for (const value of values) total += Math.exp(value - largest);
      for (let e = 0; e < experts && !normalised; e++) {
        data[row * experts + e] = (Math.exp(values[e] - largest) / total) * -along;
      }
      for (const place of own) {
        const slope = slopes[place] - (normalised ? along : 0);
        data[row * experts + expertOf[place]] += weights[place] * slope;
      }
    }
  },
  lower: ({ chosen, normalised }) => ({
    kernel: 'routeExpertsGradient',
    ints: [chosen, Number(normalised)],
    floats: [],
  }),
  cost: ([logits, routing, gradient], _, output) => ({
    flops: 12 * logits.shape[0] * logits.shape[1],
    bytes: bytesOf(logits) + bytesOf(routing) + bytesOf(gradient) + bytesOf(output),
  }),
});

/** The gradient rule of `routeExperts`. */
export const routeExpertsGradient = ({
  operands: [logits],
  attributes,
  result,
  gradient,
}: GradientCall<{ chosen: number; normalised: boolean }>): (Tensor | undefined)[] => [
  record(routeRule, [logits, result, gradient], attributes),
];

/** By y, and where it is read by the weights of the routing. */
const joinRule = registerOp<{ chosen: number; weighed: boolean }>({
  name: 'joinExpertsGradient',
  operands: ['y', 'routing', 'gradient'],
  infer([y, routing, gradient], { chosen }) {
    const [rows, width] = dims(float32(y, 'y'), 'y', ['rows', 'chosen·columns']);
    expectFloat32(routing, 'routing', [rows, 4 * chosen]);
    expectFloat32(gradient, 'gradient', [rows, fixed(width, 'y') / chosen]);
    return { shape: [rows, width], dtype: 'float32' };
  },
  further: [
    {
      name: 'byRouting',
      infer: ([, routing]) => ({ shape: float32(routing, 'routing').shape, dtype: 'float32' }),
    },
  ],
  reference([y, routing, gradient], { chosen }, { data }, [byRouting]) {
    const columns = gradient.shape[1];
    const { places, weights } = routingOf(routing);
    const slopes = byRouting && routingOf(byRouting).weights;
    places.forEach((place, assignment) => {
      const row = Math.floor(assignment / chosen);
      let along = 0;
      for (let i = 0; i < columns; i++) {
        const slope = gradient.data[row * columns + i];
        data[place * columns + i] = weights[place] * slope;
        along += y.data[place * columns + i] * slope;
      }
      if (slopes) slopes[place] = along;
    });
  },
  lower: ({ chosen }) => ({ kernel: 'joinExpertsGradient', ints: [chosen], floats: [] }),
  cost: ([y, routing, gradient], _, output) => ({
    flops: 3 * y.shape[0] * y.shape[1],
    bytes: bytesOf(y) + bytesOf(routing) + bytesOf(gradient) + bytesOf(output),
  }),
});

/** The gradient rule of `joinExperts`. */
export function joinExpertsGradient({
  operands: [y, routing],
  attributes,
  gradient,
  wants,
}: GradientCall<{ chosen: number; weighed: boolean }>): (Tensor | undefined)[] {
  // Without weights it only stands in gradients, which are differentiated no further.
  if (!attributes.weighed) return [];
  const byY = record(joinRule, [y, routing, gradient], attributes);
  return [wants(0) ? byY : undefined, wants(1) ? furtherResult(byY, 0) : undefined];
}

const inputRule = registerOp<{ experts: number; chosen: number }>({
  name: 'linearExpertsGradient',
  operands: ['gradient', 'routing', 'weight'],
  infer([gradient, routing, weight], { experts, chosen }) {
    const [outputs, k] = dims(float32(weight, 'weight'), 'weight', ['experts·out', 'in']);
    const [rows] = dims(float32(gradient, 'gradient'), 'gradient', ['rows', 'chosen·out']);
    expectFloat32(gradient, 'gradient', [rows, (fixed(outputs, 'weight') / experts) * chosen]);
    expectFloat32(routing, 'routing', [rows, 4 * chosen]);
    return { shape: [rows, fixed(k, 'weight') * chosen], dtype: 'float32' };
  },
  reference([gradient, routing, weight], { experts }, { data }) {
    const k = weight.shape[1];
    const each = weight.shape[0] / experts;
    routingOf(routing).experts.forEach((expert, place) => {
      for (let column = 0; column < each; column++) {
        const slope = gradient.data[place * each + column];
        const from = (expert * each + column) * k;
        for (let i = 0; i < k; i++) data[place * k + i] += slope * weight.data[from + i];
      }
    });
  },
  lower: ({ experts, chosen }) => ({
    kernel: 'linearExpertsGradient',
    ints: [experts, chosen],
    floats: [],
  }),
  cost: ([gradient, routing, weight], _, output) => ({
    flops: 2 * gradient.shape[0] * gradient.shape[1] * weight.shape[1],
    bytes: bytesOf(gradient) + bytesOf(routing) + bytesOf(weight) + bytesOf(output),
  }),
});

/** Of `linearExperts` by x, at each place. weight: float32. @returns float32 [rows, chosen·in]. */
export const linearExpertsGradient = (
  gradient: Tensor,
  routing: Tensor,
  weight: Tensor,
  attributes: { experts: number; chosen: number },
): Tensor => record(inputRule, [gradient, routing, weight], attributes);

type WeightAttributes = { experts: number; chosen: number; gather: boolean };

const weightRule = registerOp<WeightAttributes & { outputs: number }>({
  name: 'linearExpertsWeightGradient',
  operands: ['x', 'routing', 'gradient'],
  infer([x, routing, gradient], { experts, chosen, gather, outputs }) {
    const [rows, width] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    expectFloat32(routing, 'routing', [rows, 4 * chosen]);
    expectFloat32(gradient, 'gradient', [rows, (outputs / experts) * chosen]);
    return { shape: [outputs, fixed(width, 'x') / (gather ? 1 : chosen)], dtype: 'float32' };
  },
  reference([x, routing, gradient], { experts, chosen, gather, outputs }, { shape, data }) {
    const k = shape[1];
    const each = outputs / experts;
    const { assignments, experts: expertOf } = routingOf(routing);
    assignments.forEach((assignment, place) => {
      const row = gather ? Math.floor(assignment / chosen) : place;
      for (let column = 0; column < each; column++) {
        const slope = gradient.data[place * each + column];
        const to = (expertOf[place] * each + column) * k;
        for (let i = 0; i < k; i++) data[to + i] += slope * x.data[row * k + i];
      }
    });
  },
  lower: ({ experts, chosen, gather }) => ({
    kernel: 'linearExpertsWeightGradient',
    ints: [experts, chosen, Number(gather)],
    floats: [],
  }),
  cost: ([x, routing, gradient], _, output) => ({
    flops: 2 * gradient.shape[0] * gradient.shape[1] * output.shape[1],
    bytes: bytesOf(x) + bytesOf(routing) + bytesOf(gradient) + bytesOf(output),
  }),
});

/** Of `linearExperts` by its weight. @param shape of that. @returns the same shape. */
export function linearExpertsWeightGradient(
  x: Tensor,
  routing: Tensor,
  gradient: Tensor,
  attributes: WeightAttributes,
  shape: Shape,
): Tensor {
  const outputs = fixed(shape[0] ?? 0, 'weight');
  return record(weightRule, [x, routing, gradient], { ...attributes, outputs });
}
