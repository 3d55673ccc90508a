/**
 * Compares models with golden cases from PyTorch: folders laid out as
 * `<family>/<variant>/{config.json, model.safetensors, cases.json, expected.safetensors}`.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * @typedef {{ family: string, variant: string, architecture?: string, name: string, error?: string }} CaseResult
 * `error` says what differs; absent where the case passed.
 */

/**
 * Runs every case of every family found.
 *
 * @param {(folder: string) => Promise<import('heddle').Model>} load
 * @param {string} folder
 * @param {readonly string[]} [families] all where left out
 * @returns {AsyncGenerator<CaseResult>}
 */
export async function* runModels(load, folder, families) {
  for (const family of families ?? (await foldersIn(folder))) {
    for (const variant of await foldersIn(join(folder, family))) {
      yield* runVariant(load, join(folder, family, variant), family, variant);
    }
  }
}

async function* runVariant(load, folder, family, variant) {
  let golden;
  let expected;
  try {
    golden = JSON.parse(await readFile(join(folder, 'cases.json'), 'utf8'));
    expected = readTensors(await readFile(join(folder, 'expected.safetensors')));
  } catch (error) {
    // Such as a folder that its script is still writing.
    yield { family, variant, name: 'cases', error: error.message };
    return;
  }
  const { cases, tolerance, architecture } = golden;
  let model;
  let failure;
  try {
    model = await load(folder);
  } catch (error) {
    failure = error.message;
  }
  for (const testCase of cases) {
    const result = { family, variant, architecture, name: testCase.name };
    if (testCase.kind === 'skipped') continue;
    if (failure !== undefined) yield { ...result, error: failure };
    else if (testCase.kind === 'generate')
      yield { ...result, ...(await runGenerate(model, testCase)) };
    else if (testCase.kind !== 'forward')
      yield { ...result, error: `no way to run a case of kind '${testCase.kind}'` };
    else yield { ...result, ...(await runForward(model, testCase, expected, tolerance)) };
  }
  model?.dispose();
}

const camelCase = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
/** Hugging Face's names of outputs that we call otherwise. */
const outputName = (name) => (name === 'pooler_output' ? 'pooled' : camelCase(name));

async function runForward(model, { name, inputs, outputs, compare_where }, expected, tolerance) {
  const given = Object.fromEntries(
    Object.entries(inputs).map(([key, value]) => [camelCase(key), value]),
  );
  const names = Object.keys(outputs);
  let actual;
  try {
    actual = await model.forward(given, { outputs: names.map(outputName) });
  } catch (error) {
    return { error: error.message };
  }
  const mask = compare_where === undefined ? undefined : inputs[compare_where];
  for (const output of names) {
    const { data, shape } = actual[outputName(output)];
    const golden = expected.get(`${name}.${output}`);
    if (String(shape) !== String(golden.shape)) {
      return { error: `${output}: expected shape [${golden.shape}], found [${shape}]` };
    }
    const difference = firstDifference(data, golden, mask, tolerance);
    if (difference !== undefined) return { error: `${output}: ${difference}` };
  }
  return {};
}

/** Sequences as Hugging Face returns them: prompt and padding before, padding after those that ended early. */
async function runGenerate(model, { inputs, generate, sequences }) {
  const { pad_token_id: pad, do_sample: _, ...options } = generate;
  const { input_ids: ids, attention_mask: mask } = inputs;
  const prompts = ids.map((row, i) => ({
    inputIds: row.filter((_, column) => mask?.[i][column] !== 0),
  }));
  const named = Object.entries(options).map(([name, value]) => [camelCase(name), value]);
  let generations;
  try {
    generations = await model.generate(prompts, Object.fromEntries(named));
  } catch (error) {
    return { error: error.message };
  }
  const width = sequences[0].length;
  const returned = generate.num_return_sequences ?? 1;
  // Its beam search takes a padding of 0 for none, and then pads with the end.
  const fill = generate.num_beams > 1 ? pad || generate.eos_token_id || pad : pad;
  for (const [i, { ids: made }] of generations.entries()) {
    const row = [...ids[Math.floor(i / returned)], ...made];
    const actual = [...row, ...new Array(Math.max(0, width - row.length)).fill(fill)];
    if (String(actual) !== String(sequences[i])) {
      return { error: `sequence ${i}: expected ${sequences[i]}, found ${actual}` };
    }
  }
  return {};
}

function firstDifference(actual, { data, shape }, mask, { atol, rtol }) {
  const perToken = mask !== undefined && shape.length === 3 && shape[1] === mask[0].length;
  const width = shape.at(-1);
  for (let i = 0; i < data.length; i++) {
    const token = Math.floor(i / width);
    if (perToken && mask[Math.floor(token / shape[1])][token % shape[1]] === 0) continue;
    const gap = Math.abs(actual[i] - data[i]);
    if (!(gap <= atol + rtol * Math.abs(data[i]))) {
      return `[${i}]: expected ${data[i]}, found ${actual[i]}; ${gap} apart, ${atol} + ${rtol}·|expected| allowed`;
    }
  }
  return undefined;
}

/** The float32 tensors of a safetensors file that the generator wrote. */
export function readTensors(file) {
  const length = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + length));
  const tensors = new Map();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [begin, end] = entry.data_offsets.map((offset) => 8 + length + offset);
    const bytes = new Uint8Array(file.subarray(begin, end)); // a copy, which is aligned
    tensors.set(name, { data: new Float32Array(bytes.buffer), shape: entry.shape });
  }
  return tensors;
}

/** Names of the folders in a folder. */
export async function foldersIn(folder) {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}
