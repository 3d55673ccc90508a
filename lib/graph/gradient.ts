import { HeddleError, mismatch } from '../errors.js';
import { checkOptions, describeValue } from './options.js';
import { inRecordedOrder } from './program.js';
import { type GradientCall, ruleOf } from './rules.js';
import { formatShape } from './shape.js';
import type { State } from './state.js';
import {
  expectTensor,
  furtherResult,
  inLayer,
  record,
  sourceNode,
  type Tensor,
  tensor,
} from './tensor.js';

/** The same state may stand behind many tensors: they are one parameter. */
type Key = Tensor | State;
const keyOf = (value: Tensor): Key => (value.source.kind === 'state' ? value.source.state : value);

export interface GradientOptions {
  /**
   * Values that are kept for the way back, such as what each block of a model gives: what they were computed from is computed
   * again, from the checkpoint before, when the way back comes there. Results stay the same to the bit, and less has to be
   * held at once, for the arithmetic of one more way forward (Chen et al. 2016, "Training Deep Nets with Sublinear Memory
   * Cost", section 3). Left out: everything is kept.
   */
  checkpoints?: readonly Tensor[] | undefined;
}

/**
 * Reverse-mode differentiation (Griewank & Walther 2008, "Evaluating Derivatives", section 3.2): records the nodes that
 * compute ∂loss/∂parameter, by the rule of each op between the two. Nothing is computed; the gradients are lazy tensors,
 * to be run, differentiated or given to an optimiser.
 *
 * @param loss float32, one element. @param parameters states or computed values, float32.
 * @returns a gradient for each parameter, of its shape.
 * Throws ERR_UNSUPPORTED for an op on the way that has no gradient, naming its layer, and for a state that the graph of the
 * loss also writes: the gradient would read it as it is afterwards. ERR_ARGUMENT where the loss does not depend on a parameter.
 */
export function gradient(
  loss: Tensor,
  parameters: readonly Tensor[],
  options: GradientOptions = {},
): Tensor[] {
  checkOptions('gradient', options, ['checkpoints']);
  expectTensor(loss, 'gradient: loss');
  if (loss.dtype !== 'float32' || loss.shape.some((dim) => dim !== 1)) {
    const found = `${loss.dtype}${formatShape(loss.shape)}`;
    throw mismatch('ERR_SHAPE', 'gradient: loss', 'one float32 number', found);
  }
  if (!Array.isArray(parameters)) {
    const expected = 'an array of tensors';
    throw mismatch('ERR_ARGUMENT', 'gradient: parameters', expected, describeValue(parameters));
  }
  parameters.forEach((parameter, i) => {
    expectTensor(parameter, `gradient: parameters[${i}]`);
    if (parameter.dtype === 'float32') return;
    const where = `gradient: ${parameter.name ?? `parameters[${i}]`}`;
    throw mismatch('ERR_SHAPE', where, 'float32', parameter.dtype);
  });
  const nodes = inRecordedOrder([loss]);
  const wanted = dependents(nodes, new Set(parameters.map(keyOf)));
  refuseWrittenStates(nodes, wanted);
  const again = recomputation(options.checkpoints ?? []);

  const gradients = new Map<Key, Tensor>();
  const accumulate = (value: Tensor, part: Tensor): void => {
    const key = keyOf(value);
    const before = gradients.get(key);
    gradients.set(key, before ? sum(before, part) : part);
  };
  if (wanted.has(loss)) accumulate(loss, tensor(Float32Array.of(1), loss.shape as number[]));
  for (const value of nodes.reverse()) {
    const node = sourceNode(value);
    const incoming = gradients.get(value);
    if (value.source.kind === 'further' && incoming && wanted.has(value)) {
      const { of, index } = value.source;
      const op = sourceNode(of)?.op ?? '';
      const name = ruleOf(op).further?.[index]?.name;
      throw undifferentiable(of, op, `it has no gradient of its result ${name}`);
    }
    if (!node || !incoming || !wanted.has(value)) continue;
    const { op, operands, attributes } = node;
    const rule = ruleOf(op);
    const wants = (i: number): boolean =>
      operands[i] !== undefined && wanted.has(operands[i]) && !rule.constants?.includes(i);
    // A parameter that was computed is where the way back ends, unless others lie behind it.
    if (!operands.some((_, i) => wants(i))) continue;
    if (!rule.gradient) throw undifferentiable(value, op, 'it has no gradient');
    const differentiate = () => {
      const [result, ...present] = [value, ...operands].map((each) => each && again(each));
      const call = { operands: present, attributes, result, gradient: incoming, wants };
      return rule.gradient?.(call as GradientCall);
    };
    const parts = value.path ? inLayer(value.path, differentiate) : differentiate();
    operands.forEach((operand, i) => {
      if (!operand || !wants(i)) return;
      const part = parts?.[i];
      if (!part)
        throw undifferentiable(value, op, `it has none by ${rule.operands[i]?.replace('?', '')}`);
      accumulate(operand, part);
    });
  }
  return parameters.map((parameter, i) => {
    const result = gradients.get(keyOf(parameter));
    if (result) return result;
    const name = parameter.name ?? `parameters[${i}]`;
    const expected = 'a parameter that the loss depends on';
    throw mismatch('ERR_ARGUMENT', `gradient: ${name}`, expected, 'one that it does not');
  });
}

/**
 * Gives the value to be read on the way back in place of one of the way forward: itself, or where a checkpoint was computed
 * from it, one that is computed again from the checkpoints before; so are, always, results of ops that say so (`recomputed`).
 * Nodes are recorded when they are first asked for, and run in that order: so each stretch is computed when the way back comes
 * to it.
 */
function recomputation(checkpoints: readonly Tensor[]): (value: Tensor) => Tensor {
  if (!Array.isArray(checkpoints)) {
    const found = describeValue(checkpoints);
    throw mismatch('ERR_ARGUMENT', 'gradient: checkpoints', 'an array of tensors', found);
  }
  checkpoints.forEach((each, i) => {
    expectTensor(each, `gradient: checkpoints[${i}]`);
  });
  const known = new Map<Tensor, Tensor>(checkpoints.map((each) => [each, each]));
  const before = new Set(inRecordedOrder(checkpoints));
  const again = (value: Tensor): Tensor => {
    const ready = known.get(value);
    if (ready) return ready;
    if (!before.has(value) && !isRecomputed(value)) return value;
    if (value.source.kind === 'further') {
      return furtherResult(again(value.source.of), value.source.index);
    }
    const node = sourceNode(value);
    if (!node) return value;
    const operands = node.operands.map((operand) => operand && again(operand));
    const clone = record(ruleOf(node.op), operands, node.attributes);
    known.set(value, clone);
    return clone;
  };
  return again;
}

/** Not of a state, which may be written until then; parameters of the op the way back reads in any case. */
function isRecomputed(value: Tensor): boolean {
  const node = sourceNode(value);
  const x = node?.operands[0];
  return !!node && !!ruleOf(node.op).recomputed && !(x && stateOf(x));
}

/** The values, of nodes in recorded order, that depend on the parameters. */
function dependents(nodes: readonly Tensor[], parameters: ReadonlySet<Key>): Set<Tensor> {
  const wanted = new Set<Tensor>();
  for (const value of nodes) {
    if (value.source.kind === 'further' && wanted.has(value.source.of)) wanted.add(value);
    const node = sourceNode(value);
    const constants = node && ruleOf(node.op).constants;
    const depends = node?.operands.some(
      (operand, i) => operand !== undefined && wanted.has(operand) && !constants?.includes(i),
    );
    if (depends || parameters.has(keyOf(value))) wanted.add(value);
  }
  return wanted;
}

/**
 * Nodes run in recorded order, and those of the gradient come last: a state that is written on the way would be read there
 * with other contents than the loss was computed from.
 */
function refuseWrittenStates(nodes: readonly Tensor[], wanted: ReadonlySet<Tensor>): void {
  const written = new Map<State, Tensor>();
  for (const value of nodes) {
    const node = sourceNode(value);
    for (const target of (node && ruleOf(node.op).writes) ?? []) {
      const operand = node?.operands[target];
      const state = operand && stateOf(operand);
      if (state) written.set(state, value);
    }
  }
  for (const value of wanted) {
    for (const operand of [value, ...(sourceNode(value)?.operands ?? [])]) {
      const state = operand && stateOf(operand);
      const write = state && written.get(state);
      const op = write && sourceNode(write)?.op;
      if (write && op) {
        throw undifferentiable(write, op, `it writes ${state.name}, which the loss depends on`);
      }
    }
  }
}

/** The state that a value is: itself, or as some writes have left it. */
function stateOf(value: Tensor): State | undefined {
  const { source } = value;
  if (source.kind === 'state') return source.state;
  const node = sourceNode(source.kind === 'further' ? source.of : value);
  const { writes = [] } = node ? ruleOf(node.op) : {};
  const target = node?.operands[writes[source.kind === 'further' ? source.index + 1 : 0] ?? -1];
  return target && stateOf(target);
}

function undifferentiable(value: Tensor, op: string, reason: string): HeddleError {
  const where = value.path ? `${op} in ${value.path}` : op;
  return new HeddleError('ERR_UNSUPPORTED', `gradient: ${where}: ${reason}`, { where });
}

/** `add` is an op like any other: graph knows it by its name alone. */
const sum = (a: Tensor, b: Tensor): Tensor => record(ruleOf('add'), [a, b], {});
