import type { CAC } from 'cac';
import { HeddleError } from '../errors.js';
import type { Model } from '../tasks/model.js';
import type { Prompt } from '../tasks/prompt.js';
import { generationOptionsOf, withGenerationOptions } from './generation_options.js';
import { interruptible, openModel, withModelOptions } from './model_options.js';
import { note, printJson } from './output.js';

export function registerGenerate(cli: CAC): void {
  const command = cli.command('generate <prompt>', 'Continue a text with a language model');
  withGenerationOptions(withModelOptions(command, { hasDefault: false }))
    .option('--chat', 'Take the prompt for a message, and answer it through the chat template')
    .option('--system <text>', 'With --chat: the system prompt')
    .option(
      '--json',
      'One JSON document: {"ids", "text", "finishReason", "promptTokens", "prefillSeconds", "decodeSeconds"}',
    )
    .example('heddle generate --model ./SmolLM2-135M --max-new-tokens 40 "Once upon a time"')
    .action((prompt: unknown, options: Record<string, unknown>) =>
      interruptible((signal) => generate(String(prompt), options, signal)),
    );
}

async function generate(
  text: string,
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const given = { ...generationOptionsOf(options), signal };
  if (options.system !== undefined && !options.chat) {
    throw new HeddleError('ERR_ARGUMENT', '--system: needs --chat');
  }
  using model = await openLanguageModel('generate', options, signal);
  const prompt: Prompt = options.chat ? { messages: messagesOf(text, options.system) } : text;
  const begin = performance.now();
  let first = begin;
  const ids: number[] = [];
  let whole = '';
  let last: { finishReason?: string; promptTokens?: number } = {};
  for await (const token of model.stream(prompt, given)) {
    if (ids.length === 0) first = performance.now();
    ids.push(token.id);
    whole += token.text ?? '';
    last = token;
    if (!options.json) process.stdout.write(token.text ?? '');
  }
  const end = performance.now();
  const prefillSeconds = (first - begin) / 1000;
  const decodeSeconds = (end - first) / 1000;
  const { finishReason, promptTokens } = last;
  if (options.json) {
    printJson({ ids, text: whole, finishReason, promptTokens, prefillSeconds, decodeSeconds });
    return;
  }
  process.stdout.write('\n');
  const rate = ids.length > 1 ? `, ${((ids.length - 1) / decodeSeconds).toFixed(1)} a second` : '';
  note(
    `${promptTokens} tokens read in ${prefillSeconds.toFixed(2)} s, ${ids.length} written${rate}`,
  );
}

function messagesOf(text: string, system: unknown): { role: string; content: string }[] {
  const first = system === undefined ? [] : [{ role: 'system', content: String(system) }];
  return [...first, { role: 'user', content: text }];
}

/** Throws where a command that needs a language model is given none. */
export function needModel(options: Record<string, unknown>): void {
  if (options.model !== undefined) return;
  const message = '--model: expected a folder or hub id of a language model, found none';
  throw new HeddleError('ERR_ARGUMENT', message);
}

/** Opens the model of a command that reads texts; throws where it is a language model that cannot. Other models say so themselves. */
export async function openLanguageModel(
  command: string,
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<Model> {
  needModel(options);
  const model = await openModel(options, signal);
  if (model.kind !== 'decoder' || model.tokenizer !== undefined) return model;
  model.dispose();
  const message = `${command}: ${options.model} has no tokenizer.json, without which no text can be read or written`;
  throw new HeddleError('ERR_UNSUPPORTED', message, { where: String(options.model) });
}
