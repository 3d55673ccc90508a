import { HeddleError, mismatch } from '../errors.js';
import { checkFloat, checkOptions } from '../graph/options.js';
import type { State } from '../graph/state.js';
import type { ParameterGroup } from './training_step.js';

/** How the parameters are trained whose names a pattern is found in. */
export interface GroupRule {
  /** A regular expression, such as `bias$|norm`. */
  readonly match: string;
  readonly weightDecay?: number | undefined;
  /** Factor of the learning rate; 0: they stay as they are. */
  readonly rate?: number | undefined;
}

/** Vectors, which are biases and gains, are not decayed, as is usual; matrices are. */
const isVector = ({ shape }: State): boolean => shape.length < 2;

/**
 * Puts each parameter into the group of the first rule that matches its name. Others, and where rules leave it open, matrices
 * have the optimiser's weight decay, and vectors none.
 * @throws ERR_ARGUMENT for a pattern that is none, or matches no parameter.
 */
export function groupParameters(
  parameters: Iterable<State>,
  rules: readonly GroupRule[] = [],
): ParameterGroup[] {
  const patterns = rules.map((rule, i) => {
    checkOptions(`groups[${i}]`, rule, ['match', 'weightDecay', 'rate']);
    if (rule.weightDecay !== undefined) checkFloat(`groups[${i}]: weightDecay`, rule.weightDecay);
    if (rule.rate !== undefined) checkFloat(`groups[${i}]: rate`, rule.rate, 0);
    return patternOf(rule.match, `groups[${i}]: match`);
  });
  const groups = new Map<string, ParameterGroup & { parameters: State[] }>();
  const matched = new Set<number>();
  for (const state of parameters) {
    const number = patterns.findIndex((pattern) => pattern.test(state.name));
    matched.add(number);
    const { rate, weightDecay = isVector(state) ? 0 : undefined } = rules[number] ?? {};
    const key = `${rate} ${weightDecay}`;
    const group = groups.get(key) ?? {
      parameters: [],
      ...(rate === undefined ? {} : { rate }),
      ...(weightDecay === undefined ? {} : { weightDecay }),
    };
    group.parameters.push(state);
    groups.set(key, group);
  }
  const idle = rules.findIndex((_, i) => !matched.has(i));
  if (idle >= 0) {
    const expected = 'a pattern that is found in a name no earlier one took';
    throw mismatch('ERR_ARGUMENT', `groups[${idle}]: match`, expected, `'${rules[idle]?.match}'`);
  }
  return [...groups.values()];
}

function patternOf(match: unknown, where: string): RegExp {
  try {
    if (typeof match === 'string' && match !== '') return new RegExp(match);
  } catch (cause) {
    throw new HeddleError('ERR_ARGUMENT', `${where}: ${(cause as Error).message}`, { cause });
  }
  throw mismatch('ERR_ARGUMENT', where, 'a regular expression', String(match));
}
