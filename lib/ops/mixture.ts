import { mismatch } from '../errors.js';
import { roundToBfloat16 } from '../graph/half_precision.js';
import { roundRowsToInt8Blocks } from '../graph/int4.js';
import { roundRowsToInt8 } from '../graph/int8.js';
import { checkChoice, checkOptions, checkSizes } from '../graph/options.js';
import { bytesOf, type OpRule, type ReferenceTensor, registerOp } from '../graph/rules.js';
import { expectTensor, record, type Tensor } from '../graph/tensor.js';
import { type Compute, computes, widened } from './gemm.js';
import {
  joinExpertsGradient,
  linearExpertsGradient,
  linearExpertsWeightGradient,
  routeExpertsGradient,
} from './mixture_gradient.js';
import { dims, expectFloat32, fixed, float32, matrix } from './operands.js';
import { routingOf } from './routing.js';

const routeRule = registerOp<{ chosen: number; normalised: boolean }>({
  name: 'routeExperts',
  operands: ['logits'],
  infer([logits], { chosen }) {
    const [rows, experts] = dims(float32(logits, 'logits'), 'logits', ['rows', 'experts']);
    if (fixed(experts, 'logits') < chosen) {
      throw mismatch('ERR_SHAPE', 'logits', `at least ${chosen} experts`, `${experts}`);
    }
    return { shape: [rows, 4 * chosen], dtype: 'float32' };
  },
  reference([logits], { chosen, normalised }, output) {
    const [rows, experts] = logits.shape;
    const routing = routingOf(output);
    const all: { assignment: number; expert: number; weight: number }[] = [];
    for (let row = 0; row < rows; row++) {
      const values = Array.from(logits.data.subarray(row * experts, (row + 1) * experts));
      const largest = Math.max(...values);
      const exponents = values.map((value) => Math.exp(value - largest));
      const total = exponents.reduce((a, b) => a + b, 0);
      const best = exponents
        .map((weight, expert) => ({ expert, weight: weight / total }))
        .sort((a, b) => b.weight - a.weight)
        .slice(0, chosen)
        .sort((a, b) => a.expert - b.expert);
      const kept = normalised ? best.reduce((sum, { weight }) => sum + weight, 0) : 1;
      best.forEach(({ expert, weight }, slot) => {
        all.push({ assignment: row * chosen + slot, expert, weight: weight / kept });
      });
    }
    all.sort((a, b) => a.expert - b.expert || a.assignment - b.assignment);
    all.forEach(({ assignment, expert, weight }, place) => {
      routing.assignments[place] = assignment;
      routing.experts[place] = expert;
      routing.weights[place] = weight;
      routing.places[assignment] = place;
    });
  },
  lower: ({ chosen, normalised }) => ({
    kernel: 'routeExperts',
    ints: [chosen, Number(normalised)],
    floats: [],
  }),
  cost: ([logits], { chosen }, output) => ({
    flops: logits.shape[0] * logits.shape[1] * (12 + chosen),
    bytes: bytesOf(logits) + bytesOf(output),
  }),
  gradient: routeExpertsGradient,
});

/** How x is rounded for a product, each of its rows by itself. */
const roundings = {
  float32: (values: Float64Array, _columns: number) => values,
  bfloat16: (values: Float64Array, _columns: number) => values.map(roundToBfloat16),
  int8: roundRowsToInt8,
  int4: roundRowsToInt8Blocks,
};

type ProductAttributes = {
  experts: number;
  chosen: number;
  gather: boolean;
  /** The dtype of the weight where that is int8 or int4. */
  rounding: keyof typeof roundings;
};

const productRule = registerOp<ProductAttributes>({
  name: 'linearExperts',
  operands: ['x', 'routing', 'weight'],
  infer([x, routing, weight], { experts, chosen, gather }) {
    const [rows, width] = dims(float32(x, 'x'), 'x', ['rows', 'columns']);
    expectFloat32(routing, 'routing', [rows, 4 * chosen]);
    const [outputs, k] = dims(matrix(weight, 'weight'), 'weight', ['experts·out', 'in']);
    const each = fixed(outputs, 'weight') / experts;
    if (!Number.isInteger(each)) {
      throw mismatch('ERR_SHAPE', 'weight', `rows that ${experts} experts divide`, `${outputs}`);
    }
    const wanted = fixed(k, 'weight') * (gather ? 1 : chosen);
    if (width !== wanted) throw mismatch('ERR_SHAPE', 'x', `${wanted} columns`, `${width}`);
    return { shape: [rows, each * chosen], dtype: 'float32' };
  },
  reference([x, routing, weight], { experts, chosen, gather, rounding }, { data }) {
    const k = weight.shape[1];
    const each = weight.shape[0] / experts;
    const input = roundings[rounding](Float64Array.from(x.data), k);
    const { assignments, experts: expertOf } = routingOf(routing as ReferenceTensor);
    assignments.forEach((assignment, place) => {
      const row = gather ? Math.floor(assignment / chosen) : place;
      for (let column = 0; column < each; column++) {
        const from = (expertOf[place] * each + column) * k;
        let sum = 0;
        for (let i = 0; i < k; i++) sum += input[row * k + i] * weight.data[from + i];
        data[place * each + column] = sum;
      }
    });
  },
  lower: ({ experts, chosen, gather, rounding }) => ({
    kernel: 'linearExperts',
    ints: [experts, chosen, Number(gather), rounding === 'bfloat16' ? 1 : 0],
    floats: [],
  }),
  cost([x, routing, weight], { experts, chosen }, output) {
    // At most as many experts are read as there are assignments.
    const read = Math.min(1, (output.shape[0] * chosen) / experts);
    return {
      flops: 2 * output.shape[0] * output.shape[1] * weight.shape[1],
      bytes: bytesOf(x) + bytesOf(routing) + read * bytesOf(weight) + bytesOf(output),
    };
  },
  // Which expert a row goes to has no slope.
  constants: [1],
  gradient({ operands: [x, routing, weight], attributes, gradient, wants }) {
    if (!x || !routing || !weight) return [];
    const { experts, chosen, gather } = attributes;
    const byPlaces = () =>
      linearExpertsGradient(gradient, routing, widened(weight), { experts, chosen });
    const byX = () =>
      gather ? record(joinRule, [byPlaces(), routing], { chosen, weighed: false }) : byPlaces();
    const byWeight = () =>
      linearExpertsWeightGradient(x, routing, gradient, { experts, chosen, gather }, weight.shape);
    return [wants(0) ? byX() : undefined, undefined, wants(2) ? byWeight() : undefined];
  },
});

const joinRule: OpRule<{ chosen: number; weighed: boolean }> = registerOp<{
  chosen: number;
  weighed: boolean;
}>({
  name: 'joinExperts',
  operands: ['y', 'routing'],
  infer([y, routing], { chosen }) {
    const [rows, width] = dims(float32(y, 'y'), 'y', ['rows', 'chosen·columns']);
    expectFloat32(routing, 'routing', [rows, 4 * chosen]);
    return { shape: [rows, fixed(width, 'y') / chosen], dtype: 'float32' };
  },
  reference([y, routing], { chosen, weighed }, { shape, data }) {
    const columns = shape[1];
    const { places, weights } = routingOf(routing as ReferenceTensor);
    places.forEach((place, assignment) => {
      const row = Math.floor(assignment / chosen);
      for (let i = 0; i < columns; i++) {
        data[row * columns + i] += (weighed ? weights[place] : 1) * y.data[place * columns + i];
      }
    });
  },
  lower: ({ chosen, weighed }) => ({
    kernel: 'joinExperts',
    ints: [chosen, Number(weighed)],
    floats: [],
  }),
  cost: ([y, routing], _, output) => ({
    flops: 2 * y.shape[0] * y.shape[1],
    bytes: bytesOf(y) + bytesOf(routing) + bytesOf(output),
  }),
  gradient: joinExpertsGradient,
});

/**
 * Which experts each row goes to, and with what weights: the `chosen` largest of softmax(logits), divided by their sum where
 * `normalised` (Jiang et al. 2024, "Mixtral of Experts", section 2.1). logits: float32 [rows, experts].
 * @returns what `linearExperts` and `joinExperts` read: [rows, 4·chosen].
 */
export function routeExperts(
  logits: Tensor,
  options: { chosen: number; normalised: boolean },
): Tensor {
  checkOptions('routeExperts', options, ['chosen', 'normalised']);
  const { chosen, normalised } = options;
  checkSizes('routeExperts', { chosen });
  return record(routeRule, [logits], { chosen, normalised });
}

/**
 * Multiplies each row with the matrices of its experts, and with no others. weight: [experts·out, in], one matrix after the
 * other, float32, float16, bfloat16, int8 or int4, and then x is rounded as for `linear`. x: float32 [rows, in] where `gather`, else what another such product gave.
 * @returns float32 [rows, chosen·out], in the order of experts.
 */
export function linearExperts(
  x: Tensor,
  routing: Tensor,
  weight: Tensor,
  options: { experts: number; chosen: number; gather: boolean; compute?: Compute },
): Tensor {
  checkOptions('linearExperts', options, ['experts', 'chosen', 'gather', 'compute']);
  const { experts, chosen, gather, compute = 'float32' } = options;
  checkSizes('linearExperts', { experts, chosen });
  checkChoice('linearExperts: compute', compute, computes);
  expectTensor(weight, 'linearExperts: weight');
  const { dtype } = weight;
  const rounding = dtype === 'int8' || dtype === 'int4' ? dtype : compute;
  return record(productRule, [x, routing, weight], { experts, chosen, gather, rounding });
}

/** Adds up what a row's experts gave, weighed. y: float32 [rows, chosen·columns]. @returns float32 [rows, columns]. */
export function joinExperts(y: Tensor, routing: Tensor, options: { chosen: number }): Tensor {
  checkOptions('joinExperts', options, ['chosen']);
  checkSizes('joinExperts', options);
  return record(joinRule, [y, routing], { chosen: options.chosen, weighed: true });
}
