import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Conversation } from '../../lib/cli/conversation.js';
import { runConversation } from '../../lib/cli/terminal.js';
import { HeddleError } from '../../lib/errors.js';
import type { GenerateOptions } from '../../lib/generation/options.js';
import type { ChatPrompt } from '../../lib/tasks/prompt.js';

/** Answers with the last message, turned around, a character at a time. */
function parrot() {
  const prompts: ChatPrompt[] = [];
  let shown = '';
  const notes: string[] = [];
  const model = {
    async *stream(prompt: ChatPrompt, { signal }: GenerateOptions = {}) {
      prompts.push(prompt);
      const content = String(prompt.messages.at(-1)!.content);
      if (content === 'too long') throw new HeddleError('ERR_INPUT', 'no room');
      if (content === 'no template') throw new HeddleError('ERR_UNSUPPORTED', 'no template');
      if (content === 'broken') throw new TypeError('a bug');
      for (const [id, text] of [...content].reverse().entries()) {
        await new Promise(setImmediate);
        signal?.throwIfAborted();
        yield { id, text, ...(id === 99 && { finishReason: 'length' as const }) };
        if (id === 99) return;
      }
    },
  };
  const write = (text: string): void => {
    shown += text;
  };
  const note = (line: string): void => void notes.push(line);
  return { prompts, notes, note, parts: { model, write, note }, shown: () => shown };
}

describe('a conversation', () => {
  it('gives every message with those before it', async () => {
    const { parts, prompts, shown, notes } = parrot();
    const conversation = new Conversation({ ...parts, system: 'Be brief.' });
    expect(await conversation.take('abc')).toBe(true);
    await conversation.take('');
    await conversation.take('xy');
    expect(shown()).toBe('cba\nyx\n');
    expect(prompts[1]!.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'abc' },
      { role: 'assistant', content: 'cba' },
      { role: 'user', content: 'xy' },
    ]);
    expect(notes[0]).toMatch(/^\[3 tokens, first after \d+\.\d\d s, then [\d.]+ a second\]$/);
  });

  it('knows commands', async () => {
    const { parts, prompts, notes } = parrot();
    const conversation = new Conversation(parts);
    const file = join(mkdtempSync(join(tmpdir(), 'heddle-')), 'chat.json');
    for (const line of [
      '/retry',
      '/undo',
      'ab',
      '/retry',
      'cd',
      '/undo',
      '/system Hm',
      '/system',
      `/save ${file}`,
      '/save',
      '/save /',
      '/nothing',
      '/help',
    ]) {
      expect(await conversation.take(line)).toBe(true);
    }
    expect(prompts.map(({ messages }) => messages.length)).toEqual([1, 1, 3]);
    const messages = [
      { role: 'system', content: 'Hm' },
      { role: 'user', content: 'ab' },
      { role: 'assistant', content: 'ba' },
    ];
    expect(conversation.messages).toEqual(messages);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ messages });
    expect(notes).toContain('there is no command /nothing; see /help');
    expect(notes.filter((line) => line === 'there is no message')).toHaveLength(2);
    expect(notes.filter((line) => line.startsWith('/save: '))).toHaveLength(2);
    await conversation.take('/clear');
    expect(conversation.messages).toEqual([{ role: 'system', content: 'Hm' }]);
    expect(await conversation.take('/exit')).toBe(false);
  });

  it('keeps what there is of an answer that was interrupted', async () => {
    const { parts, notes } = parrot();
    const conversation = new Conversation(parts);
    expect(conversation.interrupt()).toBe(false);
    const answered = conversation.take('a long message');
    for (let i = 0; i < 4; i++) await new Promise(setImmediate);
    expect(conversation.interrupt()).toBe(true);
    expect(await answered).toBe(true);
    const { content } = conversation.messages[1]!;
    expect('egassem gnol a'.startsWith(content)).toBe(true);
    expect(content.length).toBeLessThan(14);
    expect(notes.at(-1)).toMatch(/, interrupted\]$/);
    expect(conversation.interrupt()).toBe(false);
  });

  it('forgets a message that cannot be answered, and goes on', async () => {
    const { parts, notes } = parrot();
    const conversation = new Conversation(parts);
    await conversation.take('too long');
    expect(conversation.messages).toEqual([]);
    expect(notes).toEqual(['no room (/clear forgets all messages)']);
    await expect(conversation.take('broken')).rejects.toThrow('a bug');
    await conversation.take('ok');
    expect(conversation.messages).toHaveLength(2);
  });

  it('says of an answer that its length cut it off', async () => {
    const { parts, notes } = parrot();
    await new Conversation(parts).take('a'.repeat(150));
    expect(notes[0]).toMatch(/^\[100 tokens, .*, cut off by its length\]$/);
  });

  it('ends where no other message could be answered either', async () => {
    const { parts, notes } = parrot();
    const conversation = new Conversation(parts);
    await expect(conversation.take('no template')).rejects.toThrow('no template');
    expect(notes).toEqual([]);
  });
});

describe('a terminal', () => {
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise(setImmediate);
  };
  /** A conversation with a parrot, and what is typed at it. */
  const opened = () => {
    const { parts, shown, notes, note } = parrot();
    const conversation = new Conversation(parts);
    const input = new PassThrough();
    const terminal = { input, output: new PassThrough(), isTerminal: true, note };
    const ended = runConversation(conversation, terminal);
    return { conversation, input, ended, shown, notes };
  };

  it('is read line by line to its end', async () => {
    const { parts, shown, note } = parrot();
    const conversation = new Conversation(parts);
    const input = new PassThrough();
    input.end('one\ntwo\n/exit\nthree\n');
    await runConversation(conversation, {
      input,
      output: new PassThrough(),
      isTerminal: false,
      note,
    });
    expect(shown()).toBe('eno\nowt\n');
    expect(process.listenerCount('SIGINT')).toBe(0);
  });

  it('has a Ctrl-C that ends the answer, and twice the conversation', async () => {
    const { conversation, input, ended, notes } = opened();
    input.write(`${'long '.repeat(40)}\r`);
    await until(() => conversation.messages.length === 1);
    input.write('\x03');
    await until(() => conversation.messages.length === 2);
    expect(notes.at(-1)).toMatch(/interrupted\]$/);
    input.write('\x03');
    await until(() => notes.length === 2);
    expect(notes[1]).toContain('Ctrl-C again');
    input.write('\x03');
    await ended;
    // Or the process would not end.
    expect(input.isPaused()).toBe(true);
  });

  it('has a Ctrl-D that leaves when the answer is whole', async () => {
    const { input, ended, shown } = opened();
    input.write('a message\r');
    await until(() => shown() !== '');
    input.write('\x04');
    await ended;
    expect(shown()).toBe('egassem a\n');
    expect(input.isPaused()).toBe(true);
  });

  it('has a Ctrl-C that drops a line half typed', async () => {
    const { conversation, input, ended, notes } = opened();
    input.write('half a \x03ok\r');
    await until(() => conversation.messages.length === 2);
    input.write('\x04');
    await ended;
    expect(conversation.messages[0]!.content).toBe('ok');
    expect(notes).toHaveLength(1);
  });
});
