import type { CAC } from 'cac';
import { needModel } from './generate.js';
import { interruptible, openModel, withModelOptions } from './model_options.js';
import { count, ProgressBar, printJson, printLine } from './output.js';
import { textOf } from './text_lines.js';

export function registerScore(cli: CAC): void {
  const command = cli.command(
    'score <file>',
    'How well a language model foresees a text (-: of stdin): its perplexity',
  );
  withModelOptions(command, { hasDefault: false })
    .option('--window <n>', "Tokens that are read together (default: the model's context)")
    .option('--stride <n>', 'Tokens from one window to the next (default: half of it)')
    .option('--json', 'One JSON document: {"perplexity", "tokens"}')
    .example('heddle score --model ./SmolLM2-135M book.txt')
    .action((file: unknown, options: Record<string, unknown>) =>
      interruptible((signal) => score(String(file), options, signal)),
    );
}

async function score(
  file: string,
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const window = count('window', options.window);
  const stride = count('stride', options.stride);
  needModel(options);
  const text = await textOf(file);
  using model = await openModel(options, signal);
  const bar = new ProgressBar('reading');
  const found = await model
    .perplexity(text, {
      ...(window === undefined ? {} : { window }),
      ...(stride === undefined ? {} : { stride }),
      signal,
      onProgress: ({ done, total }) => bar.update(done, total),
    })
    .finally(() => bar.end());
  if (options.json) printJson(found);
  else printLine(`perplexity ${found.perplexity.toPrecision(6)} over ${found.tokens} tokens`);
}
