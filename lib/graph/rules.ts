import type { NativeDType } from '../native.js';
import { type Shape, tensorBytes } from './shape.js';
import type { Tensor } from './tensor.js';

/** Shape and dtype of one operand, as known while tracing. */
export interface Operand {
  readonly shape: Shape;
  readonly dtype: NativeDType;
}

/** An operand of the float64 backend: floats as Float64Array, indices as Int32Array. */
export interface ReferenceTensor {
  readonly shape: readonly number[];
  readonly data: Float64Array | Int32Array;
}

/** An operand with its actual sizes, for counting work; `data` where the counts depend on indices. */
export interface CostOperand {
  readonly shape: readonly number[];
  readonly dtype: NativeDType;
  readonly data?: Int32Array | undefined;
}

export interface Cost {
  /** Floating-point operations; a multiply-add counts as two. */
  readonly flops: number;
  /** Bytes read and written if nothing stays in a cache. */
  readonly bytes: number;
}

/** A node as native/kernels/README.md describes it. */
export interface KernelCall {
  readonly kernel: string;
  /** Which operands of the op the kernel takes, in its order; left out: all, as they are. */
  readonly operands?: readonly number[];
  readonly ints: readonly number[];
  readonly floats: readonly number[];
}

export type Attributes = Readonly<Record<string, unknown>>;

/** What an op's gradient rule is given: one recorded node, and the gradient of the loss by its result. */
export interface GradientCall<A extends Attributes = Attributes> {
  readonly operands: readonly (Tensor | undefined)[];
  readonly attributes: A;
  readonly result: Tensor;
  /** Of the shape of the result. */
  readonly gradient: Tensor;
  /** Whether the gradient by this operand is asked for; a rule need not compute the others. */
  wants(operand: number): boolean;
}

/** Where the definition of an op writes a result; `data` is zeros. */
export interface ReferenceOutput {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** A result of an op besides its first. A run computes it where something reads it. */
export interface FurtherResult<A extends Attributes = Attributes> {
  readonly name: string;
  infer(operands: readonly (Operand | undefined)[], attributes: A): Operand;
}

/**
 * Everything the library knows about one operation. The files of lib/ops register one of these for each op.
 * An optional operand that was not given is `undefined` in every list of operands.
 */
export interface OpRule<A extends Attributes = Attributes> {
  readonly name: string;
  /** Names of the operands, for messages; `?` at the end marks an optional one. */
  readonly operands: readonly string[];
  /** Shape and dtype of the result. Throws HeddleError where operands do not fit. */
  infer(operands: readonly (Operand | undefined)[], attributes: A): Operand;
  /** The results after the first, in the order of the kernel's outputs (`furtherResult`). */
  readonly further?: readonly FurtherResult<A>[];
  /** The definition of the op, in float64: the oracle of its tests and the fallback backend. `further`: those that are read. */
  reference(
    operands: readonly ReferenceTensor[],
    attributes: A,
    output: ReferenceOutput,
    further: readonly (ReferenceOutput | undefined)[],
  ): void;
  lower(attributes: A, operands: readonly (LoweredOperand | undefined)[]): KernelCall;
  cost(operands: readonly CostOperand[], attributes: A, output: CostOperand): Cost;
  /**
   * The vector–Jacobian product: gradients by the operands, each of its operand's shape, recorded as further lazy ops.
   * Left out where there is none.
   */
  gradient?(call: GradientCall<A>): readonly (Tensor | undefined)[];
  /** Operands through which the gradient does not go: what depends on them is in the gradients by the others. */
  readonly constants?: readonly number[];
  /** Whether the way back computes it again instead of keeping it: it is cheap, and reads what is kept anyway. */
  readonly recomputed?: true;
  /** The operand whose memory the result may take, where nothing reads that operand afterwards; the kernel's first one (native/signatures.cc). */
  readonly inPlace?: number;
  /**
   * Operands, always states, that the op writes. Its result is the first of them, changed; those after are its further results,
   * whether something reads them or not.
   */
  readonly writes?: readonly number[];
}

/** An operand as `lower` sees it; a negative dim is a symbol. */
export interface LoweredOperand {
  readonly shape: readonly number[];
  readonly dtype: NativeDType;
  readonly isState: boolean;
}

const rules = new Map<string, OpRule>();

export function registerOp<A extends Attributes>(rule: OpRule<A>): OpRule<A> {
  rules.set(rule.name, rule as unknown as OpRule);
  return rule;
}

export function ruleOf(name: string): OpRule {
  const rule = rules.get(name);
  if (!rule) throw new Error(`no rule is registered for the op '${name}'`);
  return rule;
}

export function registeredOps(): readonly string[] {
  return [...rules.keys()];
}

/** Bytes of an operand that is read or written once. */
export function bytesOf(operand: CostOperand | undefined): number {
  if (!operand) return 0;
  return tensorBytes(operand.dtype, operand.shape);
}
