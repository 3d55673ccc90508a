import type { CAC } from 'cac';
import type { Ceilings } from '../graph/profile.js';
import { type Profile, type ProfiledNode, profile } from '../tasks/profile.js';
import { interruptible, openModel, withModelOptions } from './model_options.js';
import { writeNamedFile } from './named_file.js';
import { count, note, noteCut, printJson, printLine, table } from './output.js';
import { linesOf } from './text_lines.js';

/** A batch of sentences, where the caller gives none. */
const someTexts = Array.from({ length: 32 }, (_, i) =>
  'The weaver drew every thread of the warp through its own heddle before the loom could run again.'
    .split(' ')
    .slice(0, 6 + (i % 13))
    .join(' '),
);

export function registerBench(cli: CAC): void {
  const command = cli.command('bench [...texts]', 'Where the time goes, node by node');
  withModelOptions(command)
    .option('--profile <source>', 'Folder or hub id of the model: the same as --model')
    .option('--file <file>', 'Texts from a file, one a line (- for stdin)')
    .option('--runs <count>', 'How often the texts are embedded (default: 5)')
    .option('--trace <file>', 'Write a trace for chrome://tracing or ui.perfetto.dev')
    .option('--json', 'One JSON document: {"ceilings", "nodes": [{"op", "name", "ms", …}]}')
    .example('heddle bench --profile sentence-transformers/all-MiniLM-L6-v2 --trace run.json')
    .action((texts: unknown[], options: Record<string, unknown>) =>
      interruptible((signal) => bench(texts.map(String), options, signal)),
    );
}

async function bench(
  given: readonly string[],
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const repeats = count('runs', options.runs) ?? 5;
  const own = [
    ...given,
    ...(options.file === undefined ? [] : await linesOf(String(options.file))),
  ];
  const texts = own.length > 0 ? own : someTexts;
  const source = options.profile ?? options.model;
  using model = await openModel({ ...options, model: source }, signal);
  let onTruncate: typeof noteCut | undefined = noteCut;
  const embed = async (): Promise<void> => {
    await model.embed(texts, { signal, onTruncate });
    onTruncate = undefined; // told once
  };
  const found = await profile(embed, { repeats });
  const { isa, ceilings, nodes } = found;
  if (options.trace !== undefined) await writeTrace(String(options.trace), found);
  if (options.json) printJson({ isa, texts: texts.length, ceilings, nodes });
  else print(nodes, ceilings, texts.length);
}

function print(
  rows: readonly ProfiledNode[],
  { threads, gflops, gbps }: Ceilings,
  texts: number,
): void {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const cells = rows.map((row) => [
    String(row.index),
    row.op,
    row.name ?? '',
    row.ms.toFixed(3),
    percent(row.share),
    row.gflops.toFixed(1),
    row.gbps.toFixed(1),
    percent(row.roofline),
  ]);
  const head = ['node', 'op', 'name', 'ms', 'time', 'GFLOP/s', 'GB/s', 'roofline'];
  printLine(table([head, ...cells], [0, 3, 4, 5, 6, 7]));
  const ms = rows.reduce((sum, row) => sum + row.ms, 0);
  note(
    `${texts} texts in ${ms.toFixed(1)} ms; ${threads} threads do at most ${gflops.toFixed(0)} GFLOP/s (float32) and read memory at ${gbps.toFixed(1)} GB/s`,
  );
}

async function writeTrace(file: string, found: Profile): Promise<void> {
  await writeNamedFile('trace', file, JSON.stringify(found.trace()));
}
