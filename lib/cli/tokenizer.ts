import type { CAC } from 'cac';
import { HeddleError } from '../errors.js';
import {
  type TokenizerKind,
  tokenizerKinds,
  trainTokenizerOnFiles,
} from '../tasks/train_tokenizer.js';
import { written } from './arguments.js';
import { interruptible } from './model_options.js';
import { outFolder } from './named_file.js';
import { choice, count, ProgressBar, printJson, printLine } from './output.js';

export function registerTokenizer(cli: CAC): void {
  cli.command('tokenizer [action]', 'Tokenizers of your own: train').action((): never => {
    throw new HeddleError('ERR_ARGUMENT', 'tokenizer: expected train; see: heddle --help');
  });
  cli
    .command('tokenizer train <...files>', 'Learn a tokenizer from text files, in UTF-8')
    .option('--out <folder>', 'Where tokenizer.json and tokenizer_config.json are written')
    .option('--type <type>', `${tokenizerKinds.join(' or ')} (default: bpe)`)
    .option('--vocab-size <n>', 'Tokens at most (default: 8192)')
    .option('--byte-fallback', 'Words of characters that fall back to bytes; unigram always has it')
    .option('--special-tokens <list>', 'Special tokens, with commas between them')
    .option('--normalization <form>', 'NFC, NFD, NFKC or NFKD (default: none)')
    .option('--min-frequency <n>', 'Pairs that are rarer are not joined (default: 2)')
    .option('--json', 'One JSON document: {"folder", "vocabSize"}')
    .example('heddle tokenizer train --out ./my-tokenizer --vocab-size 4096 book.txt')
    .action((files: string[], options: Record<string, unknown>) =>
      interruptible((signal) => train(files.map(String), options, signal)),
    );
}

async function train(
  files: readonly string[],
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const folder = outFolder(options);
  const type = choice('type', options.type, tokenizerKinds) as TokenizerKind | undefined;
  const vocabSize = count('vocab-size', options.vocabSize);
  const minFrequency = count('min-frequency', options.minFrequency);
  const forms = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;
  const normalization = choice('normalization', options.normalization, forms);
  const special = options.specialTokens === undefined ? undefined : written('special-tokens');
  const bars = { count: new ProgressBar('reading'), learn: new ProgressBar('learning') };
  const trained = await trainTokenizerOnFiles(files, {
    ...(type ? { type } : {}),
    ...(vocabSize === undefined ? {} : { vocabSize }),
    ...(minFrequency === undefined ? {} : { minFrequency }),
    ...(normalization ? { normalization } : {}),
    ...(options.byteFallback ? { byteFallback: true } : {}),
    ...(special === undefined ? {} : { specialTokens: special.split(',') }),
    signal,
    onProgress: ({ stage, done, total }) => bars[stage].update(done, total ?? 0),
  }).finally(() => {
    bars.count.end();
    bars.learn.end();
  });
  await trained.save(folder);
  const { vocabSize: size } = trained.tokenizer;
  if (options.json) printJson({ folder, vocabSize: size });
  else printLine(`${folder}: ${size} tokens`);
}
