/** A conversation in a terminal: lines in, answers out as they are made, and commands that begin with a slash. */
import { writeFile } from 'node:fs/promises';
import { HeddleError } from '../errors.js';
import type { GenerateOptions } from '../generation/options.js';
import type { ChatPrompt } from '../tasks/prompt.js';
import type { GeneratedToken } from '../tasks/text_generator.js';

export interface ConversationModel {
  stream(prompt: ChatPrompt, options?: GenerateOptions): AsyncIterable<GeneratedToken>;
}

export interface ConversationParts {
  readonly model: ConversationModel;
  readonly system?: string | undefined;
  readonly options?: GenerateOptions;
  /** Text of answers, for stdout. */
  readonly write: (text: string) => void;
  /** Everything else, in lines. */
  readonly note: (line: string) => void;
}

interface Turn {
  role: 'user' | 'assistant';
  content: string;
}

const help = [
  '/help            these commands',
  '/system [TEXT]   shows or changes the system prompt',
  '/retry           another answer to the last message',
  '/undo            forgets the last message and its answer',
  '/clear           forgets all messages',
  '/save FILE       writes the messages as JSON',
  '/exit            leaves; so does Ctrl-D. Ctrl-C ends an answer',
];

/** What every further message would meet too. */
const hopeless: ReadonlySet<string> = new Set(['ERR_ARGUMENT', 'ERR_UNSUPPORTED']);

export class Conversation {
  private turns: Turn[] = [];
  private system: string | undefined;
  private running: AbortController | undefined;

  constructor(private readonly parts: ConversationParts) {
    this.system = parts.system;
  }

  /** What the template gets. */
  get messages(): { role: string; content: string }[] {
    const system = this.system === undefined ? [] : [{ role: 'system', content: this.system }];
    return [...system, ...this.turns];
  }

  /**
   * Ends the answer that is being made; what there is of it stays.
   * @returns false where none is.
   */
  interrupt(): boolean {
    this.running?.abort();
    return this.running !== undefined;
  }

  /** One line: a command, or a message, which is answered. @returns whether the conversation goes on. */
  async take(line: string): Promise<boolean> {
    const text = line.trim();
    if (text === '') return true;
    if (text.startsWith('/')) return this.command(text);
    this.turns.push({ role: 'user', content: line });
    await this.answer();
    return true;
  }

  private async command(text: string): Promise<boolean> {
    const [, name = '', rest = ''] = /^\/(\S*)\s*([\s\S]*)$/.exec(text)!;
    switch (name) {
      case 'exit':
      case 'quit':
        return false;
      case 'help':
        for (const line of help) this.parts.note(line);
        return true;
      case 'system':
        if (rest !== '') this.system = rest;
        this.parts.note(this.system === undefined ? 'no system prompt' : `system: ${this.system}`);
        return true;
      case 'clear':
        this.turns = [];
        this.parts.note('all messages are forgotten');
        return true;
      case 'undo':
        this.undo();
        return true;
      case 'retry':
        await this.retry();
        return true;
      case 'save':
        await this.save(rest);
        return true;
      default:
        this.parts.note(`there is no command /${name}; see /help`);
        return true;
    }
  }

  private undo(): void {
    const last = this.turns.findLastIndex(({ role }) => role === 'user');
    if (last === -1) this.parts.note('there is no message');
    else this.turns.length = last;
  }

  private async retry(): Promise<void> {
    if (this.turns.length === 0) {
      this.parts.note('there is no message');
      return;
    }
    if (this.turns.at(-1)!.role === 'assistant') this.turns.pop();
    await this.answer();
  }

  private async save(file: string): Promise<void> {
    if (file === '') {
      this.parts.note('/save: expected a file');
      return;
    }
    try {
      await writeFile(file, `${JSON.stringify({ messages: this.messages }, null, 2)}\n`);
      this.parts.note(`${this.turns.length} messages in ${file}`);
    } catch (error) {
      this.parts.note(`/save: ${(error as Error).message}`);
    }
  }

  /**
   * Answers the last message. One that cannot be answered is forgotten, so that the next one can be; what no message would mend, as a
   * model without a chat template, is thrown.
   */
  private async answer(): Promise<void> {
    const { model, options, write, note } = this.parts;
    const controller = new AbortController();
    this.running = controller;
    const messages = this.messages;
    let content = '';
    let tokens = 0;
    let ended = '';
    const begin = performance.now();
    let first = begin;
    try {
      for await (const { text = '', finishReason } of model.stream(
        { messages },
        { ...options, signal: controller.signal },
      )) {
        if (tokens++ === 0) first = performance.now();
        content += text;
        write(text);
        if (finishReason === 'length') ended = ', cut off by its length';
      }
    } catch (error) {
      if (!controller.signal.aborted) {
        this.turns.pop();
        if (content !== '') write('\n');
        if (!(error instanceof HeddleError) || hopeless.has(error.code)) throw error;
        note(
          `${error.message}${error.code === 'ERR_INPUT' ? ' (/clear forgets all messages)' : ''}`,
        );
        return;
      }
    } finally {
      this.running = undefined;
    }
    write('\n');
    this.turns.push({ role: 'assistant', content });
    if (controller.signal.aborted) ended = ', interrupted';
    note(rateOf(tokens, begin, first, performance.now(), ended));
  }
}

/** The first token waits for the prompt: it is told apart from the rate of the others. @param ended how, where not by the model. */
function rateOf(tokens: number, begin: number, first: number, end: number, ended: string): string {
  if (tokens === 0) return `[no tokens${ended}]`;
  const wait = `first after ${((first - begin) / 1000).toFixed(2)} s`;
  const rate =
    tokens > 1 ? `, then ${((1000 * (tokens - 1)) / (end - first)).toFixed(1)} a second` : '';
  return `[${tokens} ${tokens === 1 ? 'token' : 'tokens'}, ${wait}${rate}${ended}]`;
}
