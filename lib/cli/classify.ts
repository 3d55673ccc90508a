import type { CAC } from 'cac';
import { HeddleError } from '../errors.js';
import { interruptible, openPipeline, withModelOptions } from './model_options.js';
import { count, noteCut, printJson, printLine } from './output.js';

export function registerClassify(cli: CAC): void {
  const command = cli.command('classify <...texts>', 'Labels of texts');
  withModelOptions(command, { hasDefault: false })
    .option('--labels <a,b>', 'Labels of your own, for a model of natural language inference')
    .option('--multi-label', 'Whether several of these labels can be true')
    .option('--template <text>', 'The sentence that is tested, with {} for the label')
    .option('--top-k <n>', 'How many labels to print of each text (default: 1, or all of --labels)')
    .option(
      '--json',
      'One JSON document, as pipeline(\'text-classification\') gives it for the text or the texts: [{"label", "score"}]; ' +
        'with --labels as zero-shot-classification: {"sequence", "labels", "scores"}',
    )
    .example('heddle classify --model ./sentiment "I like it." "Never again."')
    .example('heddle classify --model ./nli --labels sport,politics "They won the cup."')
    .action((texts: unknown[], options: Record<string, unknown>) =>
      interruptible((signal) => {
        const given = texts.map(String);
        return options.labels === undefined
          ? classify(given, options, signal)
          : zeroShot(given, String(options.labels), options, signal);
      }),
    );
}

async function classify(
  texts: readonly string[],
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  for (const name of ['multiLabel', 'template']) {
    if (options[name] === undefined) continue;
    const flag = name === 'template' ? 'template' : 'multi-label';
    throw new HeddleError('ERR_ARGUMENT', `--${flag}: expected --labels with it, found none`);
  }
  const top_k = count('top-k', options.topK) ?? 1;
  const run = await openPipeline('text-classification', options, signal);
  try {
    const results = await run(texts, { top_k, signal, onTruncate: noteCut });
    const nested = results.map((result) => [result].flat());
    if (options.json) {
      printJson(texts.length === 1 ? nested[0] : results);
      return;
    }
    texts.forEach((text, i) => {
      printLine(`${nested[i].map(shown).join('  ')}  ${text}`);
    });
  } finally {
    await run.dispose();
  }
}

async function zeroShot(
  texts: readonly string[],
  labels: string,
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const names = labels
    .split(',')
    .map((label) => label.trim())
    .filter((label) => label !== '');
  const kept = count('top-k', options.topK) ?? names.length;
  const run = await openPipeline('zero-shot-classification', options, signal);
  try {
    const results = await run(texts, names, {
      ...(options.template === undefined ? {} : { hypothesis_template: String(options.template) }),
      multi_label: options.multiLabel === true,
      signal,
      onTruncate: noteCut,
    });
    const cut = results.map(({ sequence, labels, scores }) => ({
      sequence,
      labels: labels.slice(0, kept),
      scores: scores.slice(0, kept),
    }));
    if (options.json) {
      printJson(cut.length === 1 ? cut[0] : cut);
      return;
    }
    for (const { sequence, labels, scores } of cut) {
      const pairs = labels.map((label, i) => shown({ label, score: scores[i] }));
      printLine(`${pairs.join('  ')}  ${sequence}`);
    }
  } finally {
    await run.dispose();
  }
}

const shown = ({ label, score }: { label: string; score: number }): string =>
  `${label} ${score.toFixed(3)}`;
