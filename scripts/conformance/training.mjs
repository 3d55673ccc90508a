/**
 * Follows training runs of PyTorch: folders laid out as `<name>/{run.json, grads_step1.safetensors, final.safetensors}` with
 * the initial weights in init.safetensors (an encoder–decoder), or in a Hugging Face folder's model.safetensors.
 *
 * Every loss and gradient norm, the gradients of the first step and the final weights are compared; learning rates are the run's.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as heddle from '../../dist/index.mjs';
import { foldersIn, readTensors } from './models.mjs';
import { encoderDecoderRun, modelRun } from './training_models.mjs';

/** float32 and float64 agree to 1e-6 over the whole of these runs, biases of keys aside. */
const tolerance = 1e-4;

/**
 * @typedef {{ model: string, name: string, greatest: number, error?: string }} TrainingResult
 * `greatest` is the greatest error; `error` says where it is and why the run failed, absent where it passed.
 */

/**
 * Follows every run found.
 *
 * @param {string} folder
 * @param {readonly string[]} [names] all where left out
 * @returns {AsyncGenerator<TrainingResult>}
 */
export async function* runTraining(folder, names) {
  for (const model of names ?? (await foldersIn(folder))) {
    try {
      for (const result of await follow(join(folder, model))) yield { model, ...result };
    } catch (error) {
      yield { model, name: 'run', greatest: Number.NaN, error: error.message };
    }
  }
}

async function follow(folder) {
  const run = JSON.parse(await readFile(join(folder, 'run.json'), 'utf8'));
  const golden = async (file) => readTensors(await readFile(join(folder, file)));
  const model = await (run.model ? encoderDecoderRun : modelRun)(heddle, folder, run);
  const errors = { loss: new Greatest(), 'gradient norm': new Greatest() };
  let step;
  try {
    const { loss, parameters, batches } = model;
    const [first] = batches;
    const gradients = await gradientsOf(loss, parameters, first);
    errors['first gradients'] = await compareAll(
      model,
      gradients,
      await golden('grads_step1.safetensors'),
      () => false,
    );
    step = await heddle.TrainingStep.create({
      loss,
      groups: groupsOf(parameters, run.adamw.weight_decay),
      optimizer: heddle.adamW({ betas: run.adamw.betas, epsilon: run.adamw.eps }),
      clipNorm: run.clip.max_norm,
      capacities: model.capacities,
    });
    for (const [i, golden] of run.trajectory.entries()) {
      const { feeds, sizes } = batches[i];
      const found = await step.run({ learningRate: golden.lr, step: golden.step }, feeds, sizes);
      errors.loss.add(`step ${golden.step}`, found.loss, golden.loss);
      errors['gradient norm'].add(`step ${golden.step}`, found.gradNorm, golden.grad_norm);
    }
    errors['final weights'] = await compareAll(
      model,
      await heddle.run(tensorsOf(parameters)),
      await golden('final.safetensors'),
      noiseOf(model, run, gradients, await squaresOf(step)),
    );
  } finally {
    step?.dispose();
    model.dispose();
  }
  return Object.entries(errors).map(([name, { greatest, where }]) => {
    const error = `${where}: ${greatest.toExponential(2)} apart, ${tolerance} allowed`;
    return { name, greatest, ...(greatest <= tolerance ? {} : { error }) };
  });
}

/** Several parameters may be parts of one tensor, and have its name. */
const keyOf = (state, i) => `${i} ${state.name}`;
const named = (parameters, tensorOf) =>
  Object.fromEntries(parameters.map((state, i) => [keyOf(state, i), tensorOf(state, i)]));
const tensorsOf = (parameters) => named(parameters, heddle.stateTensor);

async function gradientsOf(loss, parameters, { feeds, sizes }) {
  const gradients = heddle.gradient(loss, parameters.map(heddle.stateTensor));
  const graph = await heddle.compile(
    named(parameters, (_, i) => gradients[i]),
    sizes,
  );
  try {
    return await graph.run(feeds, sizes);
  } finally {
    graph.dispose();
  }
}

/** The optimiser's means of squared gradients, by parameter. */
async function squaresOf({ states }) {
  const suffix = ' second moment';
  const squares = states.filter(({ name }) => name.endsWith(suffix));
  const tensors = squares.map((state) => [state.name.slice(0, -suffix.length), state]);
  return heddle.run(
    Object.fromEntries(tensors.map(([name, state]) => [name, heddle.stateTensor(state)])),
  );
}

/**
 * Which elements end apart for no fault: biases that are at rest, and those whose gradient is there, but so small beside the whole
 * that float32 has hardly a digit of it, in the first step or in all. Adam makes steps of it that are as long as any, and PyTorch's own
 * float32 and float64 runs end apart by more than the tolerance.
 */
function noiseOf({ parameters, isAtRest }, { trajectory, adamw, clip }, gradients, squares) {
  const [, keep] = adamw.betas;
  // No gradient was greater than this share of the root of its mean square.
  const share = 1 / Math.sqrt((1 - keep) * keep ** trajectory.length);
  const norms = trajectory.map(({ grad_norm }) => Math.min(grad_norm, clip.max_norm));
  const least = 1e-6 * Math.min(...norms);
  return (state, i) => {
    const slope = Math.abs(gradients[keyOf(state, parameters.indexOf(state))].data[i]);
    const most = share * Math.sqrt(squares[state.name].data[i]);
    return (
      isAtRest(state, i) ||
      (slope > 0 && slope < 1e-6 * trajectory[0].grad_norm) ||
      (most > 0 && most < least)
    );
  };
}

/** Weight decay is a number for all parameters, or '0.1 on parameters with ndim>=2, 0 on the rest'. */
function groupsOf(parameters, weightDecay) {
  const decay = Number.parseFloat(weightDecay);
  if (typeof weightDecay === 'number') return [{ parameters, weightDecay }];
  const isMatrix = ({ shape }) => shape.length >= 2;
  return [
    { parameters: parameters.filter(isMatrix), weightDecay: decay },
    { parameters: parameters.filter((state) => !isMatrix(state)), weightDecay: 0 },
  ];
}

/** @param isLeftOut whether element i of a parameter does not count. */
async function compareAll({ parameters, goldenOf }, found, golden, isLeftOut) {
  const errors = new Greatest();
  const missing = new Set(golden.keys());
  for (const [at, state] of parameters.entries()) {
    const { names, values } = goldenOf(state, golden);
    for (const name of names) missing.delete(name);
    const { data } = found[keyOf(state, at)];
    for (let i = 0; i < values.length; i++) {
      if (!isLeftOut(state, i)) errors.add(`${state.name}[${i}]`, data[i], values[i]);
    }
  }
  if (missing.size > 0) throw new Error(`no parameter stands for ${[...missing].join(', ')}`);
  return errors;
}

/** The greatest distance of all pairs, and where it is; NaN stays. */
class Greatest {
  greatest = 0;
  where = '';

  add(where, found, expected) {
    const distance = Math.abs(found - expected);
    if (distance <= this.greatest || Number.isNaN(this.greatest)) return;
    this.greatest = distance;
    this.where = where;
  }
}
