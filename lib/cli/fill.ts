import type { CAC } from 'cac';
import { interruptible, openPipeline, withModelOptions } from './model_options.js';
import { count, printJson, printLine, table } from './output.js';

export function registerFill(cli: CAC): void {
  const command = cli.command('fill <text>', 'Words for the mask in a text');
  withModelOptions(command, { hasDefault: false })
    .option('--top-k <n>', 'How many words to print (default: 5)')
    .option(
      '--json',
      'One JSON document, as pipeline(\'fill-mask\') gives it: [{"score", "token", "token_str", "sequence"}]',
    )
    .example('heddle fill --model ./bert-base-uncased "Paris is the [MASK] of France."')
    .action((text: unknown, options: Record<string, unknown>) =>
      interruptible((signal) => fill(String(text), options, signal)),
    );
}

async function fill(
  text: string,
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const top_k = count('top-k', options.topK) ?? 5;
  const fillMask = await openPipeline('fill-mask', options, signal);
  try {
    const words = await fillMask(text, { top_k, signal });
    if (options.json) {
      printJson(words);
      return;
    }
    const rows = words.map(({ score, token_str, sequence }) => [
      score.toFixed(4),
      token_str.trim(),
      sequence,
    ]);
    printLine(table(rows));
  } finally {
    await fillMask.dispose();
  }
}
