import { HeddleError, mismatch } from '../errors.js';
import { defaultBackend } from '../graph/default_backend.js';
import { checkOptions, checkSizes } from '../graph/options.js';
import { type Dropout, trainMode } from '../layers/train_mode.js';
import type { Compute, Pooling } from '../ops/index.js';
import type { Evaluation } from '../train/evaluation.js';
import type { Objective } from '../train/objective.js';
import {
  ClassificationObjective,
  type LabelledExample,
} from '../train/objectives/classification.js';
import { ContrastiveObjective, type TextPair } from '../train/objectives/contrastive.js';
import {
  type LanguageModelExample,
  LanguageModelObjective,
} from '../train/objectives/language_model.js';
import {
  type MaskedLanguageModelExample,
  MaskedLanguageModelObjective,
  type MaskingOptions,
} from '../train/objectives/masked_language_model.js';
import {
  type SequencePair,
  SequenceToSequenceObjective,
} from '../train/objectives/sequence_to_sequence.js';
import { adamW, type Optimizer } from '../train/optimizers.js';
import type { GroupRule } from '../train/parameter_groups.js';
import { constant, type Schedule } from '../train/schedules.js';
import {
  type EvaluationMetrics,
  type StepMetrics,
  Trainer,
  type TrainingProgress,
} from '../train/trainer.js';
import { TrainableModel } from './load_trainable.js';
import type { Companions } from './save_model.js';
import { TrainableTransformer } from './trainable_transformer.js';
import { trainedWeights } from './trained_weights.js';
import { TrainingFolder } from './training_folder.js';

/** What an example is, by what is learnt. */
export interface TrainingExamples {
  'language-model': LanguageModelExample;
  'masked-language-model': MaskedLanguageModelExample;
  'sequence-to-sequence': SequencePair;
  classification: LabelledExample;
  contrastive: TextPair;
}

export type TrainingTask = keyof TrainingExamples;

export interface TrainOptions<T extends TrainingTask = TrainingTask> {
  task: T;
  /** In all, those of a run that is resumed among them. */
  steps: number;
  /** The most tokens of a step; default 2048. Rows are packed: nothing is padded. */
  batchTokens?: number;
  /** The most examples of a step; of `contrastive` the number, default 32. */
  batchExamples?: number;
  /** A step's batch is run in so many parts, whose gradients are added: the same step in less memory. Default 1. */
  accumulate?: number;
  /** Default `adamW()`. */
  optimizer?: Optimizer;
  /** The rate, or its schedule; default 10⁻³. */
  learningRate?: number | Schedule;
  groups?: readonly GroupRule[];
  /** The most that the gradients' common norm may be; default 1. */
  clipNorm?: number;
  /** How much a step keeps of the exponential moving average that is then judged and saved, such as 0.999. */
  average?: number;
  /** Of the order of examples and of masks; default 0. */
  seed?: number;
  /** Examples that the model is judged on. */
  evaluation?: readonly TrainingExamples[T][];
  /** Examples that the result is judged on once, at the end: the weights that are saved. No choice depends on them. */
  test?: readonly TrainingExamples[T][];
  /** Default 100, where there is an evaluation. */
  evaluateEvery?: number;
  /** Ends the run after so many evaluations without a lower loss. */
  patience?: number;
  /** Where checkpoints and the result go; left out: they are not written. */
  folder?: string;
  checkpointEvery?: number;
  /** How many of the newest checkpoints are kept; default 2. */
  keepNewest?: number;
  /** How many of those with the lowest loss are kept; default 1. */
  keepBest?: number;
  /** Whether to go on from the newest checkpoint in the folder, if there is one. */
  resume?: boolean;
  /** Files to lie beside the model, such as its tokenizer's. */
  companions?: Companions;
  /**
   * While the model is trained: probabilities that elements become 0, of the places that torch.nn.Transformer has, or of some of
   * them; default 0. Rates in a config.json are not read.
   */
  dropout?: Dropout;
  /**
   * What products are computed in, default `float32`. With `bfloat16`, both their factors are rounded to it, forward and backward;
   * sums, weights, gradients and all else stay float32, and evaluations do.
   */
  dtype?: Compute;
  /** Of labels; default 0, of `sequence-to-sequence` 0.1. */
  smoothing?: number;
  /** Of `masked-language-model`. */
  masking?: MaskingOptions;
  /** Of `contrastive`: what cosines are divided by, default 0.05, and how texts become vectors, default `mean`. */
  temperature?: number;
  pooling?: Pooling;
  /** Whether evaluations count examples answered right to the last token, where they are texts to be written. */
  exactMatch?: boolean;
  signal?: AbortSignal;
  onStep?: (metrics: StepMetrics) => void;
  onEvaluation?: (metrics: EvaluationMetrics) => void;
  /** Told once where the run begins: 0, or the step of the checkpoint that it goes on from. */
  onStart?: (start: { step: number }) => void;
}

export interface TrainingResult extends TrainingProgress {
  /** Of the model or adapter, where it was saved: the weights of the best evaluation, or where there was none, the last. */
  readonly folder?: string;
  /** Of the same weights on the examples of `test`. */
  readonly test?: Evaluation;
}

const optionNames: readonly (keyof TrainOptions)[] = [
  'task',
  'steps',
  'batchTokens',
  'batchExamples',
  'accumulate',
  'optimizer',
  'learningRate',
  'groups',
  'clipNorm',
  'average',
  'seed',
  'evaluation',
  'test',
  'evaluateEvery',
  'patience',
  'folder',
  'checkpointEvery',
  'keepNewest',
  'keepBest',
  'resume',
  'companions',
  'dropout',
  'dtype',
  'smoothing',
  'masking',
  'temperature',
  'pooling',
  'exactMatch',
  'signal',
  'onStep',
  'onEvaluation',
  'onStart',
];

/**
 * Trains a model, or the adapter that it was opened with, on examples of ids. A step is one run of a native plan (or `accumulate` of them), off the event loop. With a
 * folder the run can be resumed, bit for bit, on the same machine with the same number of threads.
 * @throws ERR_ARGUMENT, ERR_INPUT naming the example, ERR_DIVERGED naming step and parameter, ERR_FILE, `signal.reason`. The
 * model then has the weights of the last whole step.
 */
export async function train<T extends TrainingTask>(
  model: TrainableModel | TrainableTransformer,
  data: readonly TrainingExamples[T][],
  options: TrainOptions<T>,
): Promise<TrainingResult> {
  checkOptions<TrainOptions<T>>('train', options, optionNames);
  const { steps, batchTokens = 2048, accumulate = 1, seed = 0, clipNorm = 1 } = options;
  checkSizes('train', { steps, batchTokens, accumulate });
  const { keepNewest = 2, keepBest = 1, evaluation, evaluateEvery = 100 } = options;
  checkSizes('train', { keepNewest, evaluateEvery });
  checkSizes('train', { keepBest, seed }, 0);
  const { batchExamples, checkpointEvery, patience } = options;
  for (const [name, size] of Object.entries({ batchExamples, checkpointEvery, patience })) {
    if (size !== undefined) checkSizes('train', { [name]: size });
  }
  if (options.resume && options.folder === undefined) {
    throw mismatch('ERR_ARGUMENT', 'train: resume', 'a folder to resume from', 'none');
  }
  const { learningRate = 1e-3 } = options;
  const makeObjective = () => objectiveOf(model, options) as Objective<TrainingExamples[T]>;
  const { dropout = 0, dtype } = options;
  const objective = trainMode(makeObjective, { dropout, dtype });
  const backend = defaultBackend();
  const weights = trainedWeights(model);
  const folder =
    options.folder === undefined
      ? undefined
      : new TrainingFolder({
          folder: options.folder,
          weights,
          backend,
          companions: options.companions ?? new Map(),
          identity: await identityOf(model, options, data.length),
          newest: keepNewest,
          best: keepBest,
        });
  await folder?.open();
  using trainer = await Trainer.create({
    objective,
    judged: makeObjective(),
    parameters: weights.stored().map(({ state }) => state),
    data,
    evaluationData: evaluation,
    testData: options.test,
    evaluateEvery,
    patience,
    steps,
    optimizer: options.optimizer ?? adamW(),
    schedule: typeof learningRate === 'number' ? constant({ peak: learningRate }) : learningRate,
    groups: options.groups,
    clipNorm,
    average: options.average,
    batchTokens,
    batchExamples: options.task === 'contrastive' ? (batchExamples ?? 32) : batchExamples,
    accumulate,
    seed,
    store: folder,
    checkpointEvery,
    backend,
    signal: options.signal,
    onStep: options.onStep,
    onEvaluation: options.onEvaluation,
  });
  const newest = await folder?.newest();
  if (folder && newest) {
    if (!options.resume) {
      const message = `${options.folder}: has the checkpoints of a run; resume it, or choose another folder`;
      throw new HeddleError('ERR_ARGUMENT', message, { where: 'folder' });
    }
    await trainer.restore(newest.progress, await folder.load(newest));
  }
  options.onStart?.({ step: newest?.progress.step ?? 0 });
  const progress = await trainer.run();
  const best = evaluation && keepBest > 0 ? await folder?.best() : undefined;
  if (folder && best && best.progress.step !== progress.step) {
    await trainer.restore(best.progress, await folder.load(best));
  }
  return await trainer.withAverages(async () => {
    await folder?.saveResult();
    const test = await trainer.test();
    return { ...progress, ...(folder ? { folder: folder.result } : {}), ...(test ? { test } : {}) };
  });
}

/**
 * What must be as it was for a run to go on to the same bits, by the names of options. Steps and learning rate may be others: a run
 * may be made longer.
 */
async function identityOf(
  model: TrainableModel | TrainableTransformer,
  options: TrainOptions,
  examples: number,
): Promise<Record<string, unknown>> {
  const { task, seed = 0, batchTokens = 2048, batchExamples, accumulate = 1 } = options;
  const { clipNorm = 1, average = 0, dropout = 0, dtype = 'float32', groups } = options;
  const { optimizer = adamW(), smoothing, masking, temperature, pooling } = options;
  const adapter = model instanceof TrainableModel ? model.adapter : undefined;
  return {
    ...{ task, seed, batchTokens, batchExamples, accumulate, examples },
    ...{ clipNorm, average, dropout, dtype, groups: groups?.length ? groups : undefined },
    ...{ smoothing: smoothing || undefined, maskRate: masking?.rate, temperature, pooling },
    ...namedBelow('optimizer', optimizer.settings),
    ...namedBelow('lora', adapter && { ...adapter.settings, base: await adapter.baseDigest() }),
  };
}

const namedBelow = (key: string, fields: Readonly<Record<string, unknown>> = {}) =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${key}.${name}`, value]));

function objectiveOf(
  model: TrainableModel | TrainableTransformer,
  options: TrainOptions,
): Objective<never> {
  const { task, smoothing, exactMatch = false } = options;
  if (model instanceof TrainableTransformer) {
    if (task !== 'sequence-to-sequence') {
      throw mismatch('ERR_ARGUMENT', 'train: task', 'sequence-to-sequence', `'${task}'`);
    }
    const { startId, vocabSize, maxLength } = model;
    const sizes = { startId, vocabSize, maxLength, smoothing, scores: exactMatch };
    return new SequenceToSequenceObjective(model.model, sizes);
  }
  const { network } = model;
  switch (task) {
    case 'language-model':
      return new LanguageModelObjective(network, { smoothing, scores: exactMatch });
    case 'masked-language-model':
      if (options.masking) return new MaskedLanguageModelObjective(network, options.masking);
      throw mismatch('ERR_ARGUMENT', 'train: masking', 'the id of the mask', 'none');
    case 'classification':
      return new ClassificationObjective(network, { smoothing });
    case 'contrastive': {
      const { temperature, pooling, batchExamples = 32 } = options;
      return new ContrastiveObjective(network, { pairs: batchExamples, temperature, pooling });
    }
    default: {
      const tasks = 'language-model, masked-language-model, classification or contrastive';
      throw mismatch('ERR_ARGUMENT', 'train: task', `${tasks}, for this model`, `'${task}'`);
    }
  }
}
