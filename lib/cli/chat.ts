import type { CAC } from 'cac';
import { Conversation } from './conversation.js';
import { openLanguageModel } from './generate.js';
import { generationOptionsOf, withGenerationOptions } from './generation_options.js';
import { interruptible, withModelOptions } from './model_options.js';
import { note } from './output.js';
import { runConversation } from './terminal.js';

export function registerChat(cli: CAC): void {
  const command = cli.command('chat', 'Talk with a language model; /help shows the commands there');
  withGenerationOptions(withModelOptions(command, { hasDefault: false }))
    .option('--system <text>', 'The system prompt')
    .example('heddle chat --model ./SmolLM2-135M-Instruct --temperature 0.7')
    .action((options: Record<string, unknown>) => chat(options));
}

async function chat(options: Record<string, unknown>): Promise<void> {
  const given = generationOptionsOf(options);
  using model = await interruptible((signal) => openLanguageModel('chat', options, signal));
  const { stdin: input, stdout: output } = process;
  const isTerminal = input.isTTY === true && output.isTTY === true;
  const conversation = new Conversation({
    model,
    system: options.system === undefined ? undefined : String(options.system),
    options: given,
    write: (text) => void output.write(text),
    note,
  });
  if (isTerminal) note(`${model.architecture}; /help shows the commands`);
  await runConversation(conversation, { input, output, isTerminal, note });
}
