/** Rules of what training costs, and of how much of it is worth while. */

/**
 * FLOPs of training P parameters on D tokens, forward and backward: C ≈ 6·P·D (Kaplan et al. 2020, section 2.1; Anthony,
 * Biderman & Schoelkopf 2023, "Transformer Math 101", compute requirements).
 */
export const trainingFlops = (parameters: number, tokens: number): number =>
  6 * parameters * tokens;

/** Sizes of a GPT, in the letters of Korthikanti et al. 2022, table 1. */
export interface GptSizes {
  /** b: sequences. */
  readonly batch: number;
  /** s: tokens of each. */
  readonly length: number;
  /** h. */
  readonly hidden: number;
  /** L. */
  readonly layers: number;
  /** v. */
  readonly vocabulary: number;
}

/**
 * FLOPs of a training step of a GPT by its matrix products alone, 72·b·L·s·h²·(1 + s/6h + v/12hL) (Korthikanti et al. 2022,
 * "Reducing Activation Recomputation in Large Transformer Models", appendix A). All pairs of tokens count, seen or not.
 * @param hardware counts what selective recomputation does again: s/3h in the place of s/6h.
 */
export function gptStepFlops(of: GptSizes, { hardware = false } = {}): number {
  const { batch: b, length: s, hidden: h, layers: l, vocabulary: v } = of;
  return 72 * b * l * s * h * h * (1 + s / ((hardware ? 3 : 6) * h) + v / (12 * h * l));
}

/** Seconds of training: C over what all devices do together (Transformer Math 101: C = τ·T). */
export const trainingSeconds = (flops: number, flopsPerSecond: number): number =>
  flops / flopsPerSecond;

/** The approaches of Hoffmann et al. 2022: envelope of training curves, IsoFLOP profiles, parametric loss. */
export type Approach = 1 | 2 | 3;

/** What is compute-optimal for a model, or for a budget. */
export interface Optimum {
  readonly parameters: number;
  readonly tokens: number;
  readonly flops: number;
}

/**
 * Exponents of N ∝ C^a and D ∝ C^b (Hoffmann et al. 2022, "Training Compute-Optimal Large Language Models", table 2).
 * Approaches 1 and 2 have no constants there: those below are of the row of 1 billion parameters in tables 3 and A3.
 */
const powerLaws = {
  1: { a: 0.5, b: 0.5, parameters: 1e9, tokens: 20.2e9 },
  2: { a: 0.49, b: 0.51, parameters: 1e9, tokens: 20e9 },
} as const;

/** The fitted loss L(N, D) = E + A/N^α + B/D^β (equation 10). */
export const lossFit = { e: 1.69, a: 406.4, b: 410.7, alpha: 0.34, beta: 0.28 } as const;

/** Cross-entropy in nats after training N parameters on D tokens, by approach 3. */
export function predictedLoss(parameters: number, tokens: number): number {
  const { e, a, b, alpha, beta } = lossFit;
  return e + a / parameters ** alpha + b / tokens ** beta;
}

/** The tokens that a model of so many parameters is best trained on. */
export function optimalTokens(parameters: number, approach: Approach = 1): Optimum {
  const tokens = approach === 3 ? parametricTokens(parameters) : powerTokens(parameters, approach);
  return { parameters, tokens, flops: trainingFlops(parameters, tokens) };
}

function powerTokens(parameters: number, approach: 1 | 2): number {
  const law = powerLaws[approach];
  return law.tokens * (parameters / law.parameters) ** (law.b / law.a);
}

/** Equation 4 for a given N: with C = 6·N·D, N = G·(C/6)^a gives D = (N/G)^(1/a) / N. */
function parametricTokens(parameters: number): number {
  const { a, b, alpha, beta } = lossFit;
  const g = ((alpha * a) / (beta * b)) ** (1 / (alpha + beta));
  return (parameters / g) ** ((alpha + beta) / beta) / parameters;
}
