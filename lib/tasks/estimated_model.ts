/** The graphs that a model would run, made from its config.json: shapes without contents. */
import { type CountedRun, countedRun } from '../analysis/counted_run.js';
import { decodingRuns } from '../analysis/decoding_runs.js';
import type { ModelGraphs, TrainingRuns } from '../analysis/model_counts.js';
import { UnfilledParameters } from '../analysis/unfilled_parameters.js';
import type { GivenWorkload } from '../analysis/workload.js';
import type { Config } from '../checkpoints/config.js';
import { mismatch } from '../errors.js';
import {
  type ParameterSource,
  Parameters,
  type WeightDType,
  weightDTypes,
} from '../graph/parameters.js';
import { inRecordedOrder, type Traced, trace } from '../graph/program.js';
import type { SymbolicDim } from '../graph/shape.js';
import type { State } from '../graph/state.js';
import type { Tensor } from '../graph/tensor.js';
import { Scope } from '../layers/scope.js';
import { Decoder } from '../models/decoder.js';
import { architectureOf } from '../models/registry.js';
import { add } from '../ops/index.js';
import { adafactor } from '../train/adafactor.js';
import { muon } from '../train/muon.js';
import { LabelLoss } from '../train/objectives/token_loss.js';
import { adam, adamW, lion, type Optimizer, sgd } from '../train/optimizers.js';
import { PackedInputs } from '../train/packed_inputs.js';
import { optimizerPath, TrainingStep } from '../train/training_step.js';
import type { LayerStack } from './layer_stack.js';
import { isTransformer, TrainableTransformer, transformerName } from './trainable_transformer.js';

/** What a checkpoint says beside its config.json. */
export interface StoredWeights {
  /** Makes the parameters as `load` would keep them. */
  readonly source: (dtype: WeightDType | undefined, prefix: string) => ParameterSource;
  /** Elements of the tensors that nothing was made of. Throws where tensors are missing. */
  unused(source: ParameterSource): number;
  /** Those of a model of so many of its layers; undefined where tensors of layers do not repeat as `stack` says. */
  withLayers(layers: number, stack: LayerStack): StoredWeights | undefined;
}

const optimizers: Readonly<Record<GivenWorkload['optimizer'], () => Optimizer>> = {
  adamW,
  adam,
  lion,
  sgd,
  momentum: () => sgd({ momentum: 0.9 }),
  adafactor,
  muon,
};

/** A model's graph over packed sequences, and what stands in it. */
interface Network {
  readonly source: ParameterSource;
  readonly parameters: Parameters;
  readonly inputs: readonly PackedInputs[];
  /** What a pass gives, float32 [rows, classes] each. */
  readonly results: readonly Tensor[];
  /** What further parameters are for, such as a pooler's. */
  readonly others: readonly Tensor[];
  /** What full recomputation keeps. */
  readonly checkpoints: readonly Tensor[];
  readonly hiddenSize: number;
  readonly vocabulary: number;
  readonly layers: number;
  readonly maxLength: number;
  readonly decoder?: Decoder;
  /** Sizes beside those of the inputs. */
  extraSizes(length: number): readonly (readonly [SymbolicDim, number])[];
}

export class EstimatedModel {
  readonly graphs: ModelGraphs;
  readonly workload: GivenWorkload & { readonly length: number };
  /** Of each attention sublayer. */
  readonly heads: readonly { heads: number; keyHeads: number }[];
  private readonly isTransformer: boolean;

  constructor(
    private readonly config: Config,
    given: GivenWorkload,
    private readonly stored: StoredWeights | undefined,
  ) {
    this.isTransformer = isTransformer(config);
    const dtype = given.dtype ?? (stored ? undefined : dtypeOf(config));
    const network = this.network(dtype);
    const { length = Math.min(512, network.maxLength) } = given;
    if (length > network.maxLength) {
      const expected = `at most ${network.maxLength}, the positions of the model`;
      throw mismatch('ERR_ARGUMENT', 'estimate: length', expected, `${length}`);
    }
    if (given.batch * length >= 2 ** 31) {
      const found = `${given.batch} · ${length}`;
      throw mismatch('ERR_ARGUMENT', 'estimate: batch · length', 'fewer than 2^31 tokens', found);
    }
    const kept = dtype ?? given.dtype;
    this.workload = { ...given, length, ...(kept === undefined ? {} : { dtype: kept }) };
    const forward = trace(named(network.results));
    this.heads = headsOf(forward);
    this.graphs = this.graphsOf(network, forward, dtype);
  }

  private graphsOf(network: Network, forward: Traced, dtype: WeightDType | undefined): ModelGraphs {
    const { batch, length, cacheDtype } = this.workload;
    const { parameters, hiddenSize, vocabulary, layers, decoder } = network;
    const outputs =
      network.others.length > 0 ? trace(named([...network.results, ...network.others])) : forward;
    // Training is in float32, whatever inference is in.
    const trained = dtype === 'float32' ? network : this.network('float32');
    const cached = this.isTransformer
      ? { cacheBytes: crossCacheBytes(this.config, hiddenSize, batch * length) }
      : {};
    return {
      architecture: this.name,
      kind: this.isTransformer ? 'encoder-decoder' : decoder ? 'decoder' : 'encoder',
      hiddenSize,
      vocabulary,
      layers,
      roles: parameters.roles(),
      unused: this.unusedOf(network.source),
      outputs,
      forward: this.counted(network, forward),
      ...cached,
      ...(decoder && vocabulary > 0
        ? { decoding: decodingRuns(decoder, { batch, length, cacheDtype }) }
        : {}),
      training: this.training(trained),
    };
  }

  private unusedOf(source: ParameterSource): number {
    return source instanceof UnfilledParameters
      ? source.skipped
      : (this.stored?.unused(source) ?? 0);
  }

  private get name(): string {
    const { architectures, modelType } = this.config;
    if (this.isTransformer) return transformerName;
    return architectureOf(architectures, modelType).name;
  }

  /** One step as `heddle train` makes it, on all that the loss depends on. */
  private training(network: Network): TrainingRuns {
    const { recompute, optimizer } = this.workload;
    const loss = network.results
      .map((result) => new LabelLoss(result, result.shape[0] ?? 1).loss)
      .reduce((sum, each) => add(sum, each));
    const known = network.parameters.roles();
    const used = new Set(statesOf(loss));
    const roles = new Map([...known].filter(([state]) => used.has(state)));
    const { traced, states } = TrainingStep.record({
      loss,
      groups: [{ parameters: [...roles.keys()] }],
      optimizer: optimizers[optimizer](),
      clipNorm: 1,
      ...(recompute === 'full' ? { checkpoints: network.checkpoints } : {}),
    });
    return { roles, optimizerPath, step: this.counted(network, traced), moments: states };
  }

  private counted(network: Network, traced: Traced): CountedRun {
    const { batch, length } = this.workload;
    const offsets = Int32Array.from({ length: batch + 1 }, (_, i) => i * length);
    const sizes = new Map<SymbolicDim, number>(network.extraSizes(length));
    const inputs: Record<string, Int32Array> = {};
    for (const packed of network.inputs) {
      for (const [dim, size] of packed.capacities(batch * length, batch)) sizes.set(dim, size);
      inputs[packed.offsetsName] = offsets;
    }
    return countedRun(traced, sizes, inputs);
  }

  private network(dtype: WeightDType | undefined): Network {
    return this.isTransformer
      ? transformerNetwork(this.config, this.source(dtype, 'model'))
      : this.familyNetwork(dtype);
  }

  private source(dtype: WeightDType | undefined, prefix: string): ParameterSource {
    return this.stored?.source(dtype, prefix) ?? new UnfilledParameters(dtype);
  }

  private familyNetwork(dtype: WeightDType | undefined): Network {
    const { config } = this;
    const { architecture } = architectureOf(config.architectures, config.modelType);
    const source = this.source(dtype, architecture.prefix);
    const parameters = new Parameters(source);
    const model = architecture.build(config, new Scope(parameters));
    const inputs = new PackedInputs('text', model);
    const outputs = model.outputs(inputs.batch);
    const layers = model.outputNames.filter((name) => name.startsWith('hiddenStates.')).length - 1;
    const results = model.defaultOutputs.map((name) => outputs[name]?.tensor as Tensor);
    return {
      source,
      parameters,
      inputs: [inputs],
      results,
      others: outputs.pooled ? [outputs.pooled.tensor] : [],
      checkpoints: Array.from(
        { length: layers + 1 },
        (_, i) => outputs[`hiddenStates.${i}`]?.tensor as Tensor,
      ),
      hiddenSize: model.hiddenSize,
      vocabulary: results[0]?.shape[1] === model.limits.vocabSize ? model.limits.vocabSize : 0,
      layers,
      maxLength: model.maxLength,
      ...(model instanceof Decoder ? { decoder: model } : {}),
      extraSizes: (length) => {
        const columns = Int32Array.from({ length }, (_, column) => column);
        const offsets = Int32Array.of(0, length);
        const one = { ids: columns, columns, positionIds: columns, typeIds: columns, offsets };
        return model.extraFeeds(one).sizes;
      },
    };
  }
}

/** Source and target of one length. */
function transformerNetwork(config: Config, source: ParameterSource): Network {
  const {
    model,
    parameters,
    vocabSize,
    maxLength,
    config: fields,
  } = new TrainableTransformer(config.fields, source, config.file);
  const sources = new PackedInputs('source');
  const targets = new PackedInputs('target', undefined, sources);
  const logits = model.forward(sources.batch, targets.batch);
  return {
    source,
    parameters,
    inputs: [sources, targets],
    results: [logits],
    others: [],
    checkpoints: [],
    hiddenSize: Number(fields.d_model),
    vocabulary: vocabSize,
    layers: Number(fields.encoder_layers) + Number(fields.decoder_layers),
    maxLength,
    extraSizes: () => [],
  };
}

/** Keys and values of a decoder's own tokens and of the source, float32. */
function crossCacheBytes(config: Config, width: number, tokens: number): number {
  return 4 * 2 * 2 * config.integer('decoder_layers', { min: 1, default: 6 }) * width * tokens;
}

/** Of each attention sublayer. */
const headsOf = ({ program }: Traced): { heads: number; keyHeads: number }[] =>
  program.nodes.flatMap(({ op, attributes }) =>
    op === 'attention'
      ? [{ heads: Number(attributes.heads), keyHeads: Number(attributes.keyHeads) }]
      : [],
  );

/** What a value depends on. */
const statesOf = (value: Tensor): State[] =>
  inRecordedOrder([value]).flatMap(({ source }) => (source.kind === 'state' ? [source.state] : []));

const named = (tensors: readonly Tensor[]): Record<string, Tensor> =>
  Object.fromEntries(tensors.map((tensor, i) => [`output ${i}`, tensor]));

/** The dtype that a config.json says its checkpoint has. */
function dtypeOf(config: Config): WeightDType {
  const name = config.string('torch_dtype', { default: 'float32', aliases: ['dtype'] });
  return weightDTypes.find((dtype) => dtype === name) ?? 'float32';
}
