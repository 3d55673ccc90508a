import { createInterface } from 'node:readline';
import type { Conversation } from './conversation.js';

export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  /** Whether a person types: there is a prompt, and Ctrl-C is a key. */
  readonly isTerminal: boolean;
  readonly note: (line: string) => void;
}

/**
 * Feeds the lines of a terminal or a pipe to a conversation, one after the other, until it ends or they do. Ctrl-C ends the
 * answer that is being made; where there is none, a second one in a row ends the conversation.
 */
export async function runConversation(
  conversation: Conversation,
  { input, output, isTerminal, note }: Terminal,
): Promise<void> {
  const lines = createInterface({
    input,
    output,
    terminal: isTerminal,
    prompt: isTerminal ? '> ' : '',
  });
  let hasWarned = false;
  const onInterrupt = (): void => {
    if (conversation.interrupt()) return;
    if (hasWarned || !isTerminal) lines.close();
    else note('\n(Ctrl-C again, Ctrl-D or /exit leaves)');
    hasWarned = true;
    if (isTerminal) lines.prompt();
  };
  lines.on('SIGINT', onInterrupt); // of a terminal, which then raises no signal
  process.on('SIGINT', onInterrupt);
  try {
    if (isTerminal) lines.prompt();
    for await (const line of lines) {
      hasWarned = false;
      if (!(await conversation.take(line))) break;
      if (isTerminal) lines.prompt();
    }
  } finally {
    process.off('SIGINT', onInterrupt);
    lines.close();
  }
}
