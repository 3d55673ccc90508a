import { HeddleError, mismatch } from '../errors.js';
import type { NativeDType } from '../native.js';
import { describeValue } from './options.js';
import { type Attributes, type Operand, type OpRule, ruleOf } from './rules.js';
import { checkShape, elementCount, formatShape, maxRank, type Shape } from './shape.js';
import { State } from './state.js';

/**
 * What a tensor stands for: the first result of an op, a further one, a state, a run-time input that each run supplies, or data that was
 * given when the graph was made.
 */
export type TensorSource =
  | { kind: 'op'; op: string; operands: readonly (Tensor | undefined)[]; attributes: Attributes }
  | { kind: 'further'; of: Tensor; index: number }
  | { kind: 'state'; state: State }
  | { kind: 'input'; name: string }
  | { kind: 'data'; data: Float32Array | Int32Array };

/** A lazy value: a node of the graph that `compile` turns into a plan. Making one computes nothing. */
export class Tensor implements Operand {
  /** The name under which this value can be watched, such as `encoder.layer.0.attention`. */
  name: string | undefined;
  /** The layer that recorded the node. */
  readonly path: string | undefined;
  /** Place in the order of recording, which is the order of execution. */
  readonly order: number;

  constructor(
    readonly source: TensorSource,
    readonly shape: Shape,
    readonly dtype: NativeDType,
  ) {
    checkShape(shape, 'tensor');
    this.path = paths.at(-1);
    this.order = recorded++;
  }

  named(name: string): this {
    this.name = name;
    return this;
  }
}

/** Throws ERR_ARGUMENT unless `value` is a tensor. */
export function expectTensor(value: unknown, where: string): asserts value is Tensor {
  if (!(value instanceof Tensor)) {
    throw mismatch('ERR_ARGUMENT', where, 'a tensor', describeValue(value));
  }
}

/** The op that a value is the first result of; undefined where it is none. */
export function sourceNode(value: Tensor): Extract<TensorSource, { kind: 'op' }> | undefined {
  return value.source.kind === 'op' ? value.source : undefined;
}

const paths: string[] = [];
let recorded = 0;

/** Records the nodes made by `body` as belonging to the layer at `path`; errors name it. */
export function inLayer<T>(path: string, body: () => T): T {
  paths.push(path);
  try {
    return body();
  } finally {
    paths.pop();
  }
}

/** A value that every run supplies, such as the token ids of a batch. */
export function input(name: string, shape: Shape, dtype: 'float32' | 'int32'): Tensor {
  return new Tensor({ kind: 'input', name }, shape, dtype);
}

/** The contents of a state, as a run finds them. */
export function stateTensor(state: State): Tensor {
  if (!(state instanceof State)) {
    throw mismatch('ERR_ARGUMENT', 'stateTensor', 'a State', describeValue(state));
  }
  return new Tensor({ kind: 'state', state }, state.shape, state.dtype).named(state.name);
}

type Nested = number | readonly Nested[];

/**
 * A tensor of given numbers: float32, or int32 for an Int32Array. Nested arrays bring their own shape.
 * The data is not copied until the tensor is run; do not change it before.
 */
export function tensor(
  data: Nested | Float32Array | Int32Array,
  shape?: readonly number[],
): Tensor {
  const flat =
    data instanceof Float32Array || data instanceof Int32Array
      ? { data, shape: [data.length] }
      : flatten(data);
  const dims = shape ?? flat.shape;
  checkShape(dims, 'tensor');
  if (elementCount(dims) !== flat.data.length) {
    throw new HeddleError(
      'ERR_SHAPE',
      `tensor: expected ${elementCount(dims)} numbers for ${formatShape(dims)}, found ${flat.data.length}`,
    );
  }
  const dtype = flat.data instanceof Int32Array ? 'int32' : 'float32';
  return new Tensor({ kind: 'data', data: flat.data }, dims, dtype);
}

function flatten(nested: Nested): { data: Float32Array; shape: number[] } {
  const shape: number[] = [];
  for (let level: Nested = nested; Array.isArray(level); level = level[0] as Nested) {
    shape.push(level.length);
    if (level.length === 0 || shape.length > maxRank) break; // checkShape refuses the second
  }
  checkShape(shape, 'tensor');
  const data = new Float32Array(elementCount(shape));
  let at = 0;
  const fill = (level: Nested, depth: number): void => {
    if (typeof level === 'number') {
      if (depth === shape.length) {
        data[at++] = level;
        return;
      }
    } else if (!Array.isArray(level)) {
      const expected = 'numbers in arrays, a Float32Array or an Int32Array';
      throw mismatch('ERR_ARGUMENT', 'tensor', expected, describeValue(level));
    } else if (level.length === shape[depth]) {
      for (const item of level) fill(item, depth + 1);
      return;
    }
    throw new HeddleError(
      'ERR_SHAPE',
      `tensor: nested arrays must be regular, of shape ${formatShape(shape)}`,
    );
  };
  fill(nested, 0);
  return { data, shape };
}

/** Records an op. Shapes are checked here, so that a mistake is reported where it was made. */
export function record<A extends Attributes>(
  rule: OpRule<A>,
  operands: readonly (Tensor | undefined)[],
  attributes: A,
): Tensor {
  const result = inferNamed(rule, operands, attributes);
  return new Tensor(
    { kind: 'op', op: rule.name, operands, attributes },
    result.shape,
    result.dtype,
  );
}

/** A result after the first of the op that `value` is the first result of. @param index 0 for the second result. */
export function furtherResult(value: Tensor, index: number): Tensor {
  const node = sourceNode(value);
  const result = node && ruleOf(node.op).further?.[index];
  if (!result) throw new Error(`a ${node?.op ?? value.source.kind} has no further result ${index}`);
  const { shape, dtype } = result.infer(node.operands, node.attributes);
  return new Tensor({ kind: 'further', of: value, index }, shape, dtype);
}

function inferNamed<A extends Attributes>(
  rule: OpRule<A>,
  operands: readonly (Tensor | undefined)[],
  attributes: A,
): Operand {
  operands.forEach((operand, i) => {
    if (operand !== undefined) expectTensor(operand, `${rule.name}: ${rule.operands[i]}`);
  });
  try {
    return rule.infer(operands, attributes);
  } catch (error) {
    if (!(error instanceof HeddleError)) throw error;
    const path = paths.at(-1);
    const given = rule.operands
      .map((name, i) => ({ name, operand: operands[i] }))
      .filter(({ operand }) => operand !== undefined)
      .map(({ name, operand }) => `${name} ${operand?.dtype}${formatShape(operand?.shape ?? [])}`)
      .join(', ');
    const where = path ? `${rule.name} in ${path}` : rule.name;
    throw new HeddleError(error.code, `${where}: ${error.message} (${given})`, {
      where,
      ...(error.expected === undefined ? {} : { expected: error.expected }),
      ...(error.found === undefined ? {} : { found: error.found }),
    });
  }
}
