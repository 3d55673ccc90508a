import { stat } from 'node:fs/promises';
import type { CAC } from 'cac';
import { HeddleError } from '../errors.js';
import { interruptible, openModel, withModelOptions } from './model_options.js';
import { count, noteCut, ProgressBar, printJson, printLine } from './output.js';
import { linesOf } from './text_lines.js';

export function registerRerank(cli: CAC): void {
  const command = cli.command(
    'rerank <query> <...documents>',
    'Rank documents, or the lines of files, by how well they answer a query, with a cross-encoder',
  );
  withModelOptions(command, { hasDefault: false })
    .option('--top-k <n>', 'How many documents to print (default: all)')
    .option('--json', 'One JSON document: [{"index", "score", "document"}], best first')
    .example('heddle rerank --model ./cross-encoder "who wrote it" "By Harper Lee." "In 1960."')
    .example('heddle rerank --model ./cross-encoder "who wrote it" found.txt --top-k 3')
    .action((query: unknown, documents: unknown[], options: Record<string, unknown>) =>
      interruptible((signal) => rerank(String(query), documents.map(String), options, signal)),
    );
}

async function rerank(
  query: string,
  given: readonly string[],
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const topK = count('top-k', options.topK);
  const documents: string[] = [];
  for (const textOrFile of given) {
    const isFile = textOrFile === '-' || (await stat(textOrFile).catch(() => undefined))?.isFile();
    documents.push(...(isFile ? await linesOf(textOrFile) : [textOrFile]));
  }
  if (options.model === undefined) {
    throw new HeddleError(
      'ERR_ARGUMENT',
      '--model: expected a folder or hub id of a cross-encoder, found none',
    );
  }
  using model = await openModel(options, signal);
  const bar = new ProgressBar('ranking');
  const ranked = await model
    .rerank(query, documents, {
      ...(topK === undefined ? {} : { topK }),
      signal,
      onTruncate: noteCut,
      onProgress: ({ done, total }) => bar.update(done, total),
    })
    .finally(() => bar.end());
  if (options.json) {
    printJson(ranked);
    return;
  }
  for (const { score, document } of ranked) printLine(`${score.toFixed(4)}  ${document}`);
}
