import { join } from 'node:path';
import type { CAC } from 'cac';
import type { AdapterTraining } from '../tasks/adapter_training.js';
import { TrainableModel } from '../tasks/load_trainable.js';
import { train } from '../tasks/train.js';
import { openTrainingRun, type TrainingRun } from '../tasks/training_run.js';
import type { Evaluation } from '../train/evaluation.js';
import type { EvaluationMetrics, StepMetrics } from '../train/trainer.js';
import { interruptible } from './model_options.js';
import { note, printJson } from './output.js';
import { TrainingDisplay } from './training_display.js';
import { TrainingRecord } from './training_record.js';

export function registerTrain(cli: CAC): void {
  cli
    .command('train <config>', 'Train a model as a JSON file says; see docs/training.md')
    .option('--resume', 'Go on from the newest checkpoint')
    .option(
      '--json',
      'A JSON line for each logged step: {"step", "loss", "gradNorm", "learningRate", "tokensPerSecond"}; last {"folder", …}',
    )
    .example('heddle train runs/reverse/config.json')
    .action((config: unknown, options: Record<string, unknown>) =>
      interruptible((signal) => runTraining(String(config), options, signal)),
    );
}

async function runTraining(
  path: string,
  { resume, json }: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const { config, model, data, options } = await openTrainingRun(path, signal);
  using _ = model;
  const { steps, logEvery, output } = config;
  const record = new TrainingRecord(output, { title: path, steps });
  const display = new TrainingDisplay(steps);
  let tokens = 0;
  let seconds = 0;
  let losses = 0;
  let count = 0;
  const onStep = (metrics: StepMetrics): void => {
    tokens += metrics.tokens;
    seconds += metrics.seconds;
    losses += metrics.loss;
    count++;
    const { step, gradNorm, learningRate, epoch } = metrics;
    const tokensPerSecond = Math.round(tokens / seconds);
    display.update({ step, loss: metrics.loss, tokensPerSecond });
    if (step % logEvery !== 0 && step !== steps) return;
    // The mean since the last line: a single batch's loss says less.
    const line = { step, loss: losses / count, gradNorm, learningRate, tokensPerSecond };
    [tokens, seconds, losses, count] = [0, 0, 0, 0];
    record.add({ ...line, epoch });
    if (json) printJson(line);
  };
  const onEvaluation = (metrics: EvaluationMetrics): void => {
    const { step, isBest, ...evaluation } = metrics;
    record.add({ step, evaluation });
    const best = isBest ? '' : ', not the best';
    display.say(`step ${step}: evaluation ${judgedText(evaluation)}${best}`);
    if (json) printJson({ step, evaluation });
  };
  const onStart = ({ step }: { step: number }): void => {
    record.open(step);
    display.begin(step);
    const examples = `${data.length} examples`;
    const from = step === 0 ? '' : `going on from step ${step}: `;
    note(`${from}${parametersText(model)}, ${examples}, ${steps} steps`);
  };
  try {
    const result = await train(model, data, {
      ...options,
      resume: Boolean(resume),
      signal,
      onStep,
      onEvaluation,
      onStart,
    });
    display.end();
    const { step, best, test } = result;
    const report = join(output, 'report.html');
    if (test) record.add({ step, test });
    if (json) printJson({ step, best, test, folder: result.folder, report });
    else {
      if (test) note(`test: ${judgedText(test)}`);
      note(
        `${adapterOf(model) ? 'the adapter' : 'the model'} is in ${result.folder}, the report is ${report}`,
      );
    }
  } finally {
    display.end();
    await record.close();
  }
}

const adapterOf = (model: TrainingRun['model']): AdapterTraining | undefined =>
  model instanceof TrainableModel ? model.adapter : undefined;

function parametersText(model: TrainingRun['model']): string {
  const { count } = model.parameters;
  const adapter = adapterOf(model);
  if (!adapter) return `${count} parameters`;
  const own = adapter.parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0);
  return `${own} parameters of an adapter over ${count - own}`;
}

function judgedText({ loss, accuracy }: Evaluation): string {
  const right = accuracy === undefined ? '' : `, ${(100 * accuracy).toFixed(1)} % right`;
  return `loss ${loss.toFixed(4)}${right}`;
}
