/** What a lazy graph says about itself before anything is computed: its work, and how far signals travel in it. */
import { HeddleError, mismatch } from '../errors.js';
import { costOf } from '../graph/cost.js';
import { inRecordedOrder, trace } from '../graph/program.js';
import { type CostOperand, type OpRule, type ReferenceTensor, ruleOf } from '../graph/rules.js';
import { resolveShape } from '../graph/shape.js';
import { expectTensor, type Tensor } from '../graph/tensor.js';

/** Path lengths that are kept of one node. */
const mostPairs = 2 ** 24;

/** Operations and bytes of all that is evaluated to find them: minutes. */
const mostWork = 2 ** 36;

export interface OperationCount {
  /** Floating-point operations, a multiply-add as two, by the formulas of the ops. */
  flops: number;
  /** Operations on the longest chain in which each needs the result of the one before: what no parallel machine shortens. */
  sequential: number;
}

/**
 * The work of a graph and how much of it has to be done one after the other (Vaswani et al. 2017, section 4, table 1). Counted as
 * recorded, before fusion; an op on a whole matrix is one operation of the chain.
 *
 * @param output whose sizes are all known; 0 of both for what no op computes. Throws ERR_SHAPE for symbolic ones.
 */
export function countOperations(output: Tensor): OperationCount {
  expectTensor(output, 'countOperations: output');
  const nodes = inRecordedOrder([output]);
  for (const node of nodes) sizesOf(node, 'countOperations');
  if (output.source.kind !== 'op' && output.source.kind !== 'further') {
    return { flops: 0, sequential: 0 };
  }
  const depths = new Map<Tensor, number>();
  for (const node of nodes) {
    const before = node.source.kind === 'further' ? [node.source.of] : operandsOf(node);
    const deepest = Math.max(0, ...before.map((operand) => depths.get(operand) ?? 0));
    depths.set(node, node.source.kind === 'op' ? 1 + deepest : deepest);
  }
  return { flops: costOf(trace({ output }).program).flops, sequential: depths.get(output) ?? 0 };
}

/**
 * How many operations lie on the shortest path from each row of `source` to each row of `output`; Infinity where the second does not
 * depend on the first. Between positions of a sequence this is the path length of Vaswani et al. 2017, section 4, and a
 * mask (causal, a window, segments) is seen as the paths that it cuts.
 *
 * Whether a row of a result depends on a row of an operand is asked of the op's definition in float64: does NaN in one show in
 * the other? −Infinity in a bias therefore hides nothing. Rows are counted along the first dimension; a vector is one row. An op
 * is evaluated once for each row of its operands that depends on the source.
 *
 * @param output, source whose sizes are all known. @returns a row for each row of output. Throws ERR_SHAPE for symbolic sizes,
 * ERR_ARGUMENT for more than 2^24 pairs of rows and for what would take minutes, ERR_UNSUPPORTED for graphs of gradients, those that write states, or read integers that are not there until a run.
 */
export function pathLengths(output: Tensor, source: Tensor): number[][] {
  expectTensor(output, 'pathLengths: output');
  expectTensor(source, 'pathLengths: source');
  const width = rowsOf(sizesOf(source, 'pathLengths'));
  const nodes = inRecordedOrder([output]);
  for (const node of [source, ...nodes]) checkPairs(rowsOf(sizesOf(node, 'pathLengths')), width);
  checkWork(nodes.reduce((sum, node) => sum + workOf(node), 0));
  const lengths = new Map<Tensor, number[][]>();
  lengths.set(
    source,
    Array.from({ length: width }, (_, i) =>
      Array.from({ length: width }, (_, j) => (i === j ? 0 : Infinity)),
    ),
  );
  for (const node of nodes) {
    if (node.source.kind === 'further') {
      const found = 'a further result of an op';
      throw mismatch('ERR_UNSUPPORTED', 'pathLengths', 'the first results of ops', found);
    }
    if (lengths.has(node) || !operandsOf(node).some((operand) => lengths.has(operand))) continue;
    const rows = Array.from({ length: rowsOf(sizesOf(node, 'pathLengths')) }, () =>
      new Array<number>(width).fill(Infinity),
    );
    eachDependency(node, lengths, (row, before) => {
      before.forEach((length, i) => {
        rows[row][i] = Math.min(rows[row][i], length + 1);
      });
    });
    lengths.set(node, rows);
  }
  const unreached = (): number[] => new Array<number>(width).fill(Infinity);
  const found = lengths.get(output);
  return found ?? Array.from({ length: rowsOf(sizesOf(output, 'pathLengths')) }, unreached);
}

function checkPairs(rows: number, width: number): void {
  if (rows * width <= mostPairs) return;
  const expected = `at most ${mostPairs} pairs of a row and one of the source`;
  throw mismatch('ERR_ARGUMENT', 'pathLengths', expected, `${rows} · ${width}`);
}

/** At most, of an op that is evaluated for each row of its operands. */
function workOf(node: Tensor): number {
  if (node.source.kind !== 'op') return 0;
  const sized = (value: Tensor): CostOperand => ({
    shape: sizesOf(value, 'pathLengths'),
    dtype: value.dtype,
  });
  const { op, operands, attributes } = node.source;
  const given = operands.map((operand) => operand && sized(operand));
  const rows = given.reduce((sum, operand) => sum + (operand ? rowsOf(operand.shape) : 0), 0);
  const { flops, bytes } = ruleOf(op).cost(given as CostOperand[], attributes, sized(node));
  return rows * (flops + bytes);
}

function checkWork(work: number): void {
  if (work <= mostWork) return;
  const expected = `a graph whose ops, evaluated for each row of their operands, take at most ${mostWork} operations`;
  throw mismatch('ERR_ARGUMENT', 'pathLengths', expected, `about ${work.toExponential(1)}`);
}

/** Calls `use` for each row of a node and each row of an operand that it depends on, with the path lengths of the latter. */
function eachDependency(
  node: Tensor,
  lengths: ReadonlyMap<Tensor, number[][]>,
  use: (row: number, before: readonly number[]) => void,
): void {
  if (node.source.kind !== 'op') return;
  const { op, operands, attributes } = node.source;
  const rule = ruleOf(op);
  if (rule.writes !== undefined) {
    throw mismatch('ERR_UNSUPPORTED', 'pathLengths', 'a graph that writes no state', op);
  }
  const shape = sizesOf(node, 'pathLengths');
  const given = operands.map((operand) => operand && probe(operand)) as ReferenceTensor[];
  const evaluate = (): Set<number> => rowsWithNaN(rule, given, attributes, shape);
  if (evaluate().size > 0) {
    throw new HeddleError('ERR_UNSUPPORTED', `pathLengths: ${op} gives NaN for ordinary numbers`);
  }
  operands.forEach((operand, i) => {
    const before = operand && lengths.get(operand);
    const data = given[i]?.data;
    if (!before || data instanceof Int32Array) return;
    const columns = data.length / before.length;
    before.forEach((reached, row) => {
      if (reached.every((length) => length === Infinity)) return;
      const kept = data.slice(row * columns, (row + 1) * columns);
      data.fill(NaN, row * columns, (row + 1) * columns);
      for (const dependent of evaluate()) use(dependent, reached);
      data.set(kept, row * columns);
    });
  });
}

function rowsWithNaN(
  rule: OpRule,
  operands: readonly ReferenceTensor[],
  attributes: Readonly<Record<string, unknown>>,
  shape: readonly number[],
): Set<number> {
  const data = new Float64Array(shape.reduce((product, dim) => product * dim, 1));
  rule.reference(operands, attributes, { shape, data }, []);
  const columns = data.length / rowsOf(shape);
  const rows = new Set<number>();
  data.forEach((value, at) => {
    if (Number.isNaN(value)) rows.add(Math.floor(at / columns));
  });
  return rows;
}

/** Contents that stand for any: the integers of the graph itself, and floats of which no two are alike. */
function probe(tensor: Tensor): ReferenceTensor {
  const shape = sizesOf(tensor, 'pathLengths');
  const { source } = tensor;
  if (source.kind === 'data' && source.data instanceof Int32Array) {
    return { shape, data: source.data };
  }
  if (tensor.dtype === 'int32') {
    const expected = 'integers that are given with the graph';
    throw mismatch('ERR_UNSUPPORTED', 'pathLengths', expected, `${source.kind} int32`);
  }
  const count = shape.reduce((product, dim) => product * dim, 1);
  return { shape, data: Float64Array.from({ length: count }, (_, i) => Math.sin(i + 1)) };
}

const operandsOf = ({ source }: Tensor): Tensor[] =>
  source.kind === 'op' ? source.operands.filter((operand) => operand !== undefined) : [];

const rowsOf = (shape: readonly number[]): number => (shape.length > 1 ? shape[0] : 1);

function sizesOf({ shape }: Tensor, where: string): number[] {
  return resolveShape(shape, (symbol) => {
    throw mismatch('ERR_SHAPE', where, 'sizes that are known', `the symbolic size ${symbol}`);
  });
}
