import type { Tensor } from '../graph/tensor.js';
import { add, columns, linear, scale } from '../ops/index.js';
import type { ProjectionPart } from './linear.js';
import type { Scope } from './scope.js';
import { droppedOnce, trainedIn } from './train_mode.js';

/** Which layers an adapter changes, and how much: LoRA (Hu et al. 2022, "LoRA: Low-Rank Adaptation of Large Language Models"). */
export interface LowRankAdapter {
  /** Rank of the change of the projection at a path; undefined where there is none. */
  rankOf(path: string): number | undefined;
  /** Factor of that change. */
  scaleOf(path: string, rank: number): number;
  /** Probability that what A reads is dropped while the adapter is trained. */
  readonly dropout: number;
}

interface Update {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly factor: number;
  readonly dropout: number;
  /** Of what A reads. */
  readonly site: string;
}

/**
 * y + s·(x·Aᵀ)·Bᵀ: what adapters add to a projection's result. Parameters, for adapter i: `lora_A.i.weight` [rank, inputs],
 * `lora_B.i.weight` [outputs, rank]; fresh ones add nothing, as B is 0. In `trainMode` x is
 * dropped at the adapter's rate (Hu et al. 2022, table 11; peft's `lora_dropout`).
 */
export class LowRankUpdates {
  private readonly updates: readonly Update[];

  /** @param part which outputs of the projection that the adapter knows the layer has. */
  constructor(
    scope: Scope,
    inputs: number,
    private readonly outputs: number,
    private readonly part: ProjectionPart | undefined,
  ) {
    this.updates = scope.adapters.flatMap((adapter, i) => {
      const rank = adapter.rankOf(scope.path);
      if (rank === undefined) return [];
      const uniform = { kind: 'uniform', bound: 1 / Math.sqrt(inputs) } as const;
      const zeros = { kind: 'constant', value: 0 } as const;
      const all = [part?.of ?? outputs, rank];
      const a = scope.parameter(`lora_A.${i}.weight`, [rank, inputs], 'linear', uniform);
      const b = scope.parameter(`lora_B.${i}.weight`, all, 'linear', zeros);
      const factor = adapter.scaleOf(scope.path, rank);
      const site = `lora_A.${i} ${scope.path}`;
      return [{ a, b, factor, dropout: adapter.dropout, site }];
    });
  }

  /** @param y the projection of x, [rows, outputs]. */
  addTo(y: Tensor, x: Tensor): Tensor {
    const compute = trainedIn();
    return this.updates.reduce((sum, { a, b, factor, dropout, site }) => {
      const inner = linear(droppedOnce(x, site, dropout), a, undefined, { compute });
      const change = linear(scale(inner, factor), b, undefined, { compute });
      return add(sum, this.part ? this.cut(change, this.part) : change);
    }, y);
  }

  private cut(change: Tensor, { first }: ProjectionPart): Tensor {
    return columns(change, { first, step: this.outputs, size: this.outputs, count: 1 });
  }
}
