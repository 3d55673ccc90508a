import type { CAC } from 'cac';
import { HeddleError } from '../errors.js';
import { bleu, smoothings } from '../scores/bleu.js';
import { bleuTokenizers } from '../scores/bleu_tokens.js';
import { chrf } from '../scores/chrf.js';
import { needModel, openLanguageModel } from './generate.js';
import { interruptible, withModelOptions } from './model_options.js';
import { choice, count, ProgressBar, printJson, printLine } from './output.js';
import { textOf } from './text_lines.js';

export function registerScore(cli: CAC): void {
  const command = cli.command(
    'score <file>',
    'How well a language model foresees a text (-: of stdin): its perplexity; or how near translations are to --references',
  );
  withModelOptions(command, { hasDefault: false })
    .option('--window <n>', "Tokens that are read together (default: the model's context)")
    .option('--stride <n>', 'Tokens from one window to the next (default: half of it)')
    .option(
      '--references <file>',
      'The file is translations, one a line: BLEU, chrF and chrF++ against the lines of this file; may be given again',
    )
    .option('--tokenize <name>', `Words of BLEU: ${bleuTokenizers.join(', ')} (default: 13a)`)
    .option('--smoothing <name>', `Of BLEU: ${smoothings.join(', ')} (default: exp)`)
    .option('--lowercase', 'Take large and small letters for the same')
    .option(
      '--json',
      'One JSON document: {"perplexity", "tokens"}; with references {"bleu", "chrf", "chrf++"}, each {"score", "signature", "line"}',
    )
    .example('heddle score --model ./SmolLM2-135M book.txt')
    .example('heddle score translations.txt --references references.txt')
    .action((file: unknown, options: Record<string, unknown>) =>
      options.references === undefined
        ? interruptible((signal) => score(String(file), options, signal))
        : compare(String(file), options),
    );
}

async function score(
  file: string,
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const window = count('window', options.window);
  const stride = count('stride', options.stride);
  refuse(options, ['tokenize', 'smoothing', 'lowercase'], 'needs --references');
  needModel(options);
  const text = await textOf(file);
  if (text === '') {
    const message = `${file}: expected a text, found an empty file`;
    throw new HeddleError('ERR_INPUT', message, { where: file });
  }
  using model = await openLanguageModel('score', options, signal);
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

/** Scores of translations, line by line against one file of references or several. */
async function compare(file: string, options: Record<string, unknown>): Promise<void> {
  refuse(options, ['model', 'window', 'stride'], 'is for perplexity, not for --references');
  const tokenize = choice('tokenize', options.tokenize, bleuTokenizers);
  const smoothing = choice('smoothing', options.smoothing, smoothings);
  const lowercase = Boolean(options.lowercase);
  const hypotheses = sentences(await textOf(file));
  const names = [options.references].flat().map(String);
  const columns = await Promise.all(
    names.map(async (name) => {
      const lines = sentences(await textOf(name));
      if (lines.length === hypotheses.length && lines.length > 0) return lines;
      const message = `${name}: expected as many lines as ${file} has, ${hypotheses.length}, and at least one, found ${lines.length}`;
      throw new HeddleError('ERR_INPUT', message, { where: name });
    }),
  );
  const references = hypotheses.map((_, i) => columns.map((lines) => lines[i] as string));
  const scores = {
    bleu: bleu(hypotheses, references, {
      lowercase,
      ...(tokenize ? { tokenize } : {}),
      ...(smoothing ? { smoothing } : {}),
    }),
    chrf: chrf(hypotheses, references, { lowercase }),
    'chrf++': chrf(hypotheses, references, { lowercase, wordOrder: 2 }),
  };
  if (options.json) printJson(scores);
  else for (const { line } of Object.values(scores)) printLine(line);
}

/** The lines of a text; an empty one is a sentence too, the end of the last line is none. */
function sentences(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function refuse(options: Record<string, unknown>, names: readonly string[], why: string): void {
  const given = names.find((name) => options[name] !== undefined);
  if (given !== undefined) throw new HeddleError('ERR_ARGUMENT', `--${given}: ${why}`);
}
