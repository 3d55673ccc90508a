import type { CAC } from 'cac';
import { entropyUnits } from '../analysis/attention_statistics.js';
import { HeddleError } from '../errors.js';
import { inspect } from '../tasks/inspect.js';
import { weightDTypes } from '../tasks/load_options.js';
import type { Model } from '../tasks/model.js';
import { inspectAttention } from './inspect_attention.js';
import { inspectClusters } from './inspect_clusters.js';
import { inspectLogitLens } from './inspect_logit_lens.js';
import { inspectPositions } from './inspect_positions.js';
import { interruptible, openModel, withDownloadBar } from './model_options.js';
import { formatBytes, printJson, printLine, table } from './output.js';

/** One way of looking inside: its flag is its name. */
export interface View {
  /** Options of the command that it takes, beside those of all. */
  readonly takes: readonly string[];
  /** Whether it is of the model alone. */
  readonly withoutText?: boolean;
  show(
    model: Model,
    text: string,
    options: Record<string, unknown>,
    signal: AbortSignal,
  ): Promise<void>;
}

const views: Readonly<Record<string, View>> = {
  attention: { takes: ['html', 'layers', 'head', 'unit'], show: inspectAttention },
  logitLens: { takes: ['html', 'topK'], show: inspectLogitLens },
  clusters: { takes: ['plot', 'threshold'], show: inspectClusters },
  positions: { takes: ['plot'], withoutText: true, show: inspectPositions },
};

export function registerInspect(cli: CAC): void {
  cli
    .command(
      'inspect <source> [text]',
      'Architecture, tensors, parameters and sizes of a model; or what it makes of a text',
    )
    .option('--attention', 'What each head attends to: entropies, and one head as a map')
    .option('--logit-lens', 'What each layer of a language model would predict')
    .option('--clusters', 'How alike the tokens become from layer to layer')
    .option('--positions', 'How the model tells where a token stands; without a text')
    .option('--html <file>', 'A page to explore it, of one file (attention, logit lens)')
    .option('--plot <file>', 'A picture of it as SVG (clusters, positions)')
    .option('--layers <list>', 'Layers whose attention is watched, such as 0,4-6 (default: all)')
    .option('--head <layer.head>', 'The head that is printed as a map (default: a focused one)')
    .option('--unit <unit>', `Of entropies: ${entropyUnits.join(', ')} (default: nats)`)
    .option('--top-k <n>', 'Tokens for each layer and position (default: 5)')
    .option('--threshold <x>', 'Inner product from which on tokens are one cluster (default: 0.9)')
    .option('--max-tokens <n>', 'Tokens of the text that are read (default: 256 at most)')
    .option('--revision <revision>', 'Commit, branch or tag of a hub id (default: main)')
    .option(
      '--dtype <dtype>',
      `How weights are kept: ${weightDTypes.join(', ')} (default: as stored)`,
    )
    .option(
      '--json',
      'One JSON document: {"architecture", "parameters", "tensors": [{"name", "dtype", "shape"}], …}, or {"tokens", "layers", …}',
    )
    .example('heddle inspect sentence-transformers/all-MiniLM-L6-v2')
    .example('heddle inspect --attention ./model "The cat sat." --html attention.html')
    .action(async (source: unknown, text: unknown, options: Record<string, unknown>) => {
      const chosen = Object.keys(views).filter((name) => options[name]);
      const [name] = chosen;
      const view = name === undefined ? undefined : views[name];
      checkTogether(chosen, view, text, options);
      if (view === undefined) return printFacts(String(source), options);
      await interruptible(async (signal) => {
        using model = await openModel({ ...options, model: String(source) }, signal);
        await view.show(model, text === undefined ? '' : String(text), options, signal);
      });
    });
}

const written = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;

/** An option that means nothing here is a mistake that must not pass. */
function checkTogether(
  chosen: readonly string[],
  view: View | undefined,
  text: unknown,
  options: Record<string, unknown>,
): void {
  const fail = (message: string): never => {
    throw new HeddleError('ERR_ARGUMENT', `inspect: ${message}`);
  };
  const all = Object.keys(views).map(written).join(', ');
  const own = written(chosen[0] ?? '');
  const readers = Object.keys(views).filter((name) => !views[name]?.withoutText);
  if (chosen.length > 1) fail(`expected one of ${all}, found ${chosen.map(written).join(' and ')}`);
  if (text !== undefined && (view === undefined || view.withoutText)) {
    fail(`a text is for one of ${readers.map(written).join(', ')}; found ${view ? own : 'none'}`);
  }
  if (view !== undefined && !view.withoutText && text === undefined) {
    fail(`${own} needs a text: heddle inspect ${own} MODEL TEXT`);
  }
  const special = [...Object.values(views).flatMap(({ takes }) => takes), 'maxTokens', 'dtype'];
  const taken =
    view === undefined ? [] : [...view.takes, 'dtype', ...(view.withoutText ? [] : ['maxTokens'])];
  const stray = special.find((name) => options[name] !== undefined && !taken.includes(name));
  if (stray !== undefined) {
    const users = Object.keys(views).filter((name) => views[name]?.takes.includes(stray));
    fail(`${written(stray)} is for ${users.length > 0 ? users.map(written).join(', ') : all}`);
  }
}

async function printFacts(source: string, options: Record<string, unknown>): Promise<void> {
  const facts = await withDownloadBar((fetching) => inspect(source, fetching));
  if (options.json) {
    printJson(facts);
    return;
  }
  const { architecture, parameters, tensors, bytes, files } = facts;
  const rows = tensors.map(({ name, dtype, shape, bytes: size }) => [
    name,
    dtype,
    `[${shape.join(', ')}]`,
    formatBytes(size),
  ]);
  printLine(table([['tensor', 'dtype', 'shape', 'size'], ...rows], [3]));
  printLine();
  printLine(
    `architecture  ${architecture}${facts.supported ? '' : '  (not one that Heddle runs)'}`,
  );
  printLine(`parameters    ${parameters.total.toLocaleString('en')}`);
  printLine(`size          ${formatBytes(bytes)} in ${files} ${files === 1 ? 'file' : 'files'}`);
  if (facts.problem !== undefined) printLine(`problem       ${facts.problem}`);
  if (facts.unused.length > 0) printLine(`unused        ${facts.unused.join(', ')}`);
  for (const [name, value] of Object.entries(facts.summary))
    printLine(`${name.padEnd(14)}${value}`);
}
