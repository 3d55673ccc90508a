/**
 * The parts of @huggingface/jinja that are used, with their types: the package's own declarations import each other
 * without file extensions, which Node's module resolution does not follow.
 */
import * as jinja from '@huggingface/jinja';

/** A value while a template runs. */
export interface RuntimeValue {
  readonly type: string;
  readonly value: unknown;
}

/** A parsed template or a part of it. */
export interface SyntaxNode {
  readonly type: string;
}

export interface BinaryExpression extends SyntaxNode {
  readonly left: SyntaxNode;
  readonly right: SyntaxNode;
  readonly operator: { readonly value: string };
}

export interface Environment {
  set(name: string, value: unknown): RuntimeValue;
}

export interface Interpreter {
  run(program: SyntaxNode): RuntimeValue;
  /** Called for every node, each time it is evaluated. */
  evaluate(node: SyntaxNode | undefined, environment: Environment): RuntimeValue;
  /** A text: what the nodes write, one after the other. */
  evaluateBlock(nodes: readonly SyntaxNode[], environment: Environment): RuntimeValue;
  evaluateBinaryExpression(node: BinaryExpression, environment: Environment): RuntimeValue;
  applyFilter(operand: RuntimeValue, filter: SyntaxNode, environment: Environment): RuntimeValue;
}

interface Package {
  readonly Environment: new () => Environment;
  readonly Interpreter: new (environment: Environment) => Interpreter;
  tokenize(source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }): unknown[];
  parse(tokens: unknown[]): SyntaxNode;
}

export const { Environment, Interpreter, tokenize, parse } = jinja as unknown as Package;
