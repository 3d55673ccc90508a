import { join } from 'node:path';
import type { CAC } from 'cac';
import { train } from '../tasks/train.js';
import { openTrainingRun } from '../tasks/training_run.js';
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
    .example('heddle train examples/characters/config.json')
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
    const { step, loss, accuracy, isBest } = metrics;
    record.add({ step, evaluation: { loss, ...(accuracy === undefined ? {} : { accuracy }) } });
    display.say(`step ${step}: ${evaluationText(metrics)}${isBest ? '' : ', not the best'}`);
    if (json) printJson({ step, evaluation: { loss, accuracy } });
  };
  const onStart = ({ step }: { step: number }): void => {
    record.open(step);
    display.begin(step);
    const examples = `${data.length} examples`;
    note(
      `${step === 0 ? '' : `going on from step ${step}: `}${model.parameters.count} parameters, ${examples}, ${steps} steps`,
    );
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
    const { step, best } = result;
    const report = join(output, 'report.html');
    if (json) printJson({ step, best, folder: result.folder, report });
    else {
      note(`the model is in ${result.folder}, the report is ${report}`);
    }
  } finally {
    display.end();
    await record.close();
  }
}

function evaluationText({ loss, accuracy }: EvaluationMetrics): string {
  const right = accuracy === undefined ? '' : `, ${(100 * accuracy).toFixed(1)} % right`;
  return `evaluation loss ${loss.toFixed(4)}${right}`;
}
