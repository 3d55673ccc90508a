import type { CAC } from 'cac';
import { HeddleError } from '../errors.js';
import { poolings } from '../ops/pool.js';
import { interruptible, openModel, withModelOptions } from './model_options.js';
import { choice, note, noteCut, ProgressBar, printJson, printLine } from './output.js';
import { linesOf } from './text_lines.js';

export function registerEmbed(cli: CAC): void {
  const command = cli.command('embed [...texts]', 'Sentence vectors of texts');
  withModelOptions(command)
    .option('--file <file>', 'Texts from a file, one a line (- for stdin)')
    .option('--pooling <mode>', `Override the model's pooling: ${poolings.join(', ')}`)
    .option('--prompt-name <name>', "Put one of the model's prompts before each text")
    .option('--json', 'One JSON object a line: {"text", "embedding"}')
    .example('heddle embed "A cat sits on the mat." "Ein Hund schläft."')
    .example('heddle embed --json --file sentences.txt > vectors.jsonl')
    .action((texts: unknown[], options: Record<string, unknown>) =>
      interruptible((signal) => embed(texts.map(String), options, signal)),
    );
}

async function embed(
  given: readonly string[],
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const texts = [
    ...given,
    ...(options.file === undefined ? [] : await linesOf(String(options.file))),
  ];
  if (texts.length === 0) {
    throw new HeddleError(
      'ERR_ARGUMENT',
      'embed: expected texts or --file, found neither; see: heddle embed --help',
    );
  }
  const pooling = choice('pooling', options.pooling, poolings);
  using model = await openModel(options, signal);
  const bar = new ProgressBar('embedding');
  const begin = performance.now();
  const vectors = await model
    .embed(texts, {
      ...(pooling ? { pooling } : {}),
      ...(options.promptName === undefined ? {} : { promptName: String(options.promptName) }),
      signal,
      onTruncate: noteCut,
      onProgress: ({ done, total }) => bar.update(done, total),
    })
    .finally(() => bar.end());
  const seconds = (performance.now() - begin) / 1000;
  for (const [i, text] of texts.entries()) {
    const vector = Array.from(vectors[i]);
    if (options.json) printJson({ text, embedding: vector });
    else printLine(`${summary(vector)}  ${text.length > 60 ? `${text.slice(0, 59)}…` : text}`);
  }
  const noun = texts.length === 1 ? 'text' : 'texts';
  note(
    `${texts.length} ${noun}, ${vectors[0].length} dimensions, ${(texts.length / seconds).toFixed(0)} texts/s`,
  );
}

/** The first numbers of a vector, for a person to see that it is one. */
function summary(vector: readonly number[]): string {
  const shown = vector.slice(0, 4).map((value) => value.toFixed(4).padStart(7));
  return `[${shown.join(' ')} …]`;
}
