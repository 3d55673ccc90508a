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
 * answer that is being made; where there is none it drops a line that is half typed, and on an empty one a second in a row ends
 * the conversation.
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
  let isOpen = true;
  lines.once('close', () => {
    isOpen = false;
  });
  // Asked of a closed terminal, Node 20 would read it again and never end; later ones throw.
  const ask = (): void => {
    if (isTerminal && isOpen) lines.prompt();
  };
  let hasWarned = false;
  const onInterrupt = (): void => {
    if (conversation.interrupt()) return;
    if (isTerminal && lines.line !== '') {
      lines.write(null, { ctrl: true, name: 'e' });
      lines.write(null, { ctrl: true, name: 'u' });
      return;
    }
    if (hasWarned || !isTerminal) lines.close();
    else note('\n(Ctrl-C again, Ctrl-D or /exit leaves)');
    hasWarned = true;
    ask();
  };
  lines.on('SIGINT', onInterrupt); // of a terminal, which then raises no signal
  process.on('SIGINT', onInterrupt);
  try {
    ask();
    for await (const line of lines) {
      hasWarned = false;
      if (!(await conversation.take(line))) break;
      ask();
    }
  } finally {
    process.off('SIGINT', onInterrupt);
    lines.close();
  }
}
