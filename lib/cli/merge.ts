import type { CAC } from 'cac';
import { mergeAdapter } from '../tasks/merge_adapter.js';
import { resolveSource } from '../tasks/source.js';
import { interruptible } from './model_options.js';
import { outFolder } from './named_file.js';
import { ProgressBar, printJson, printLine } from './output.js';

export function registerMerge(cli: CAC): void {
  cli
    .command(
      'merge <base> <...adapters>',
      'Write a model whose weights hold what LoRA adapters add',
    )
    .option('--out <folder>', 'Where the merged model is written')
    .option('--json', 'One JSON document: {"folder"}')
    .example('heddle merge ./my-llm runs/poems/adapter --out ./my-poet')
    .action((base: unknown, adapters: unknown[], options: Record<string, unknown>) =>
      interruptible((signal) => merge(String(base), adapters.map(String), options, signal)),
    );
}

async function merge(
  base: string,
  adapters: readonly string[],
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const folder = outFolder(options);
  const bar = new ProgressBar('merging');
  const onProgress = ({ loaded, total }: { loaded: number; total: number }): void =>
    bar.update(loaded, total);
  const source = await resolveSource(base, { signal });
  await mergeAdapter(source, adapters, folder, { signal, onProgress }).finally(() => bar.end());
  if (options.json) printJson({ folder });
  else printLine(folder);
}
