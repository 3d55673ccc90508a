import { HeddleError, mismatch } from '../errors.js';
import type { Backend, RunOptions } from '../graph/backend.js';
import { checkOptions, describeValue } from '../graph/options.js';
import { PlanCache } from '../graph/plan_cache.js';
import type { Feeds, NdArray } from '../graph/run.js';
import { SymbolicDim } from '../graph/shape.js';
import { input, type Tensor } from '../graph/tensor.js';
import { type ChoiceInputs, flattenChoices } from './choice_inputs.js';
import type { EncoderBatch, EncoderOutput, Per } from './encoder.js';
import {
  type EncoderInputs,
  inputNames,
  type PackedBatch,
  packInputs,
  pairOffsetsOf,
  unpackPairs,
  unpackRows,
} from './encoder_inputs.js';
import { paddingFeeds } from './padding.js';
import type { TextEncoder } from './text_encoder.js';

type Variant = 'plain' | 'unseen';

/** Runs an encoder on batches of any size: one plan run, and so one native call, for each. */
export class EncoderRunner {
  private readonly plans: PlanCache;
  /** A batch as every run supplies it, and one in which some rows are unseen. */
  private readonly batches: Readonly<Record<Variant, EncoderBatch>>;
  private readonly symbols: Readonly<
    Record<'rows' | 'count' | 'bounds' | 'pairs' | 'blindBounds', SymbolicDim>
  >;
  private readonly traced = new Map<Variant, Record<string, EncoderOutput>>();

  constructor(
    readonly encoder: TextEncoder,
    backend: Backend,
  ) {
    this.plans = new PlanCache(backend);
    const symbols = {
      rows: new SymbolicDim('rows'),
      count: new SymbolicDim('segments'),
      bounds: new SymbolicDim('segments + 1'),
      pairs: new SymbolicDim('pairs'),
      blindBounds: new SymbolicDim('segments + 2'),
    };
    this.symbols = symbols;
    const { rows, count, bounds, pairs, blindBounds } = symbols;
    const plain: EncoderBatch = {
      rows,
      count,
      pairs,
      ids: input('ids', [rows], 'int32'),
      typeIds: input('typeIds', [rows], 'int32'),
      positionIds: input('positionIds', [rows], 'int32'),
      positions: input('columns', [rows], 'int32'),
      offsets: input('offsets', [bounds], 'int32'),
      pairOffsets: input('pairOffsets', [bounds], 'int32'),
    };
    const blind = {
      count: bounds,
      offsets: input('blindOffsets', [blindBounds], 'int32'),
      sequences: input('blindSequences', [rows], 'int32'),
      isToken: input('isToken', [rows], 'int32'),
    };
    this.batches = {
      plain,
      unseen: {
        ...plain,
        keyPositions: input('keyColumns', [rows], 'int32'),
        ...(encoder.paddingReach === undefined ? {} : { blind }),
      },
    };
  }

  /**
   * The named outputs for a batch as Hugging Face shapes it: [batch, length, …], 0 where masked. A model for multiple choice
   * takes [questions, choices, length]; its logits are [questions, choices], and all else has a batch of questions·choices.
   */
  async forward(
    inputs: EncoderInputs | ChoiceInputs,
    options: { outputs?: readonly string[] | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<Record<string, NdArray>> {
    checkOptions('forward: options', options, ['outputs', 'signal']);
    const { outputs: names = this.encoder.defaultOutputs, signal } = options;
    if (!Array.isArray(names)) {
      const expected = 'an array of names';
      throw mismatch('ERR_ARGUMENT', 'outputs', expected, describeValue(names));
    }
    const known = this.encoder.outputNames;
    const unknown = names.find((name) => !known.includes(name));
    if (unknown !== undefined || names.length === 0) {
      throw new HeddleError(
        'ERR_ARGUMENT',
        `outputs: expected some of ${known.join(', ')}; found ${unknown ?? 'none'}`,
      );
    }
    const outputs = this.outputs('plain');
    const keepFirst = names.some((name) => outputs[name].readsFirst);
    checkOptions('forward: inputs', inputs, inputNames);
    const given = { ...inputs }; // read once: a getter could give another batch the second time
    const { inputs: rows, choices } = this.encoder.takesChoices
      ? flattenChoices(given as ChoiceInputs)
      : { inputs: given as EncoderInputs, choices: 0 };
    const nameOf = choices
      ? (row: number): string => `[${Math.floor(row / choices)}][${row % choices}]`
      : undefined;
    const batch = packInputs(this.encoder, rows, keepFirst, nameOf);
    const lengths = rows.inputIds.map((row) => row.length);
    const pick = (all: Record<string, EncoderOutput>): Record<string, Tensor> =>
      Object.fromEntries(names.map((name) => [name, all[name].tensor]));
    const results = await this.run(batch, `forward ${names}`, pick, { signal });
    return Object.fromEntries(
      names.map((name) => {
        const { per } = outputs[name];
        return [name, shaped(results[name], per, { batch, lengths, choices })];
      }),
    );
  }

  /**
   * Runs a graph made from the encoder's outputs on a packed batch.
   * @param key names the graph; @param build makes it, the first time that the key is seen.
   * @param options with `feeds` and `sizes` of inputs and symbols that `build` adds to the batch's.
   */
  async run(
    batch: PackedBatch,
    key: string,
    build: (outputs: Record<string, EncoderOutput>, batch: EncoderBatch) => Record<string, Tensor>,
    options: RunOptions & { feeds?: Feeds; sizes?: readonly [SymbolicDim, number][] } = {},
  ): Promise<Record<string, NdArray>> {
    const { rows, count, bounds, pairs, blindBounds } = this.symbols;
    const pairOffsets = pairOffsetsOf(batch.offsets);
    const extra = this.encoder.extraFeeds(batch);
    const sizes = new Map([
      ...extra.sizes,
      [rows, batch.ids.length],
      [count, batch.offsets.length - 1],
      [bounds, batch.offsets.length],
      [blindBounds, batch.offsets.length + 1],
      [pairs, pairOffsets.at(-1) ?? 0],
      ...(options.sizes ?? []),
    ]);
    const variant = batch.keyColumns ? 'unseen' : 'plain';
    const graph = (): Record<string, Tensor> => build(this.outputs(variant), this.batches[variant]);
    const plan = await this.plans.get(`${variant} ${key}`, graph, sizes);
    options.signal?.throwIfAborted();
    const { ids, typeIds, positionIds, columns, offsets } = batch;
    const own = { ids, typeIds, positionIds, columns, offsets, pairOffsets };
    const feeds = {
      ...own,
      ...paddingFeeds(batch, this.encoder.paddingReach),
      ...extra.feeds,
      ...options.feeds,
    };
    return plan.run(feeds, sizes, options);
  }

  dispose(): void {
    this.plans.dispose();
  }

  private outputs(variant: Variant): Record<string, EncoderOutput> {
    let outputs = this.traced.get(variant);
    if (!outputs) {
      outputs = this.encoder.outputs(this.batches[variant]);
      this.traced.set(variant, outputs);
    }
    return outputs;
  }
}

/** An output as Hugging Face shapes it. @param from.choices of each question, where there are questions. */
function shaped(
  result: NdArray,
  per: Per,
  { batch, lengths, choices }: { batch: PackedBatch; lengths: readonly number[]; choices: number },
): NdArray {
  switch (per) {
    case 'row':
      return unpackRows(result, batch, lengths);
    case 'score': {
      const { data, shape } = unpackRows(result, batch, lengths);
      return { data, shape: shape.slice(0, 2) };
    }
    case 'pair':
      return unpackPairs(result, batch, lengths);
    case 'choice':
      return { data: result.data, shape: [lengths.length / choices, choices] };
    case 'sequence':
      return result;
  }
}
