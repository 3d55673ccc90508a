import type { Backend } from './backend.js';
import { ruleOf } from './rules.js';
import { compile } from './run.js';
import type { State } from './state.js';
import { input, record, stateTensor } from './tensor.js';

/** Gives a float32 state new contents. @throws ERR_SHAPE where their number is another. */
export async function writeState(
  backend: Backend,
  state: State,
  data: Float32Array,
): Promise<void> {
  const contents = input('contents', state.shape, 'float32');
  // `assign` is an op like any other: graph knows it by its name alone.
  const write = record(ruleOf('assign'), [stateTensor(state), contents, undefined], {});
  const graph = await compile({}, new Map(), { effects: [write], backend });
  try {
    await graph.run({ contents: data });
  } finally {
    graph.dispose();
  }
}
