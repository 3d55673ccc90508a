/** What @huggingface/jinja does not have, or has with another meaning than Jinja's, said in a way that it understands. */
import type { SyntaxNode } from './jinja.js';

interface Call extends SyntaxNode {
  readonly callee: SyntaxNode & { readonly value?: unknown };
  readonly args: readonly (SyntaxNode & { readonly key?: SyntaxNode; readonly value?: unknown })[];
}

const isCall = (node: SyntaxNode): node is Call => node.type === 'CallExpression';

/** `dict(a=1)` as `{'a': 1}`. */
export function rewriteCall(node: SyntaxNode): SyntaxNode {
  if (!isCall(node) || node.callee.value !== 'dict') return node;
  if (!node.args.every(({ type }) => type === 'KeywordArgumentExpression')) return node;
  const value = new Map(
    node.args.map((argument) => [{ ...argument.key, type: 'StringLiteral' }, argument.value]),
  );
  return { type: 'ObjectLiteral', value } as SyntaxNode;
}

/** Of an item without the attribute, every test is false for the package: so `undefined` is asked for as not `defined`. */
export function rewriteFilter(filter: SyntaxNode): SyntaxNode {
  if (!isCall(filter) || filter.args[1]?.value !== 'undefined') return filter;
  const { callee, args } = filter;
  const opposite = { selectattr: 'rejectattr', rejectattr: 'selectattr' }[String(callee.value)];
  if (opposite === undefined) return filter;
  const test = { ...args[1], value: 'defined' };
  return {
    ...filter,
    callee: { ...callee, value: opposite },
    args: [args[0], test],
  } as SyntaxNode;
}
