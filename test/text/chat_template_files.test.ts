import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ChatTemplates } from '../../lib/text/chat_templates.js';

/** A folder with files by name; objects as JSON. */
async function folderOf(files: Record<string, unknown>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'heddle-templates-'));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(
      join(folder, name),
      typeof content === 'string' ? content : JSON.stringify(content),
    );
  }
  return folder;
}

const config = { chat_template: 'config {{ bos_token }}' };
const named = {
  chat_template: [
    { name: 'default', template: 'first' },
    { name: 'rag', template: 'second' },
  ],
};

describe('chat templates of a checkpoint', () => {
  const found: [files: Record<string, unknown>, names: string[], text: string][] = [
    [{ 'tokenizer_config.json': config }, ['default'], 'config <s>'],
    [{ 'tokenizer_config.json': named }, ['default', 'rag'], 'first'],
    [{ 'tokenizer_config.json': config, 'chat_template.jinja': 'file' }, ['default'], 'file'],
    [
      { 'tokenizer_config.json': config, 'chat_template.json': { chat_template: 'old' } },
      ['default'],
      'old',
    ],
    [
      {
        'chat_template.jinja': 'a',
        'additional_chat_templates/tool_use.jinja': 'b',
        'additional_chat_templates/x.txt': '',
      },
      ['default', 'tool_use'],
      'a',
    ],
  ];
  it.each(found)('%o', async (files, names, text) => {
    const templates = await ChatTemplates.load(await folderOf(files), { bos_token: '<s>' });
    expect(templates.names).toEqual(names);
    expect(templates.apply([{ role: 'user', content: '' }])).toBe(text);
  });

  it('may be none', async () => {
    for (const files of [
      {},
      { 'tokenizer_config.json': {} },
      { 'tokenizer_config.json': { chat_template: null } },
    ]) {
      expect((await ChatTemplates.load(await folderOf(files), {})).names).toEqual([]);
    }
  });

  it.each([5, {}, ['text'], [{ name: 'a' }], [{ template: 'a' }]])(
    'are refused as %o',
    async (chat_template) => {
      const folder = await folderOf({ 'tokenizer_config.json': { chat_template } });
      await expect(ChatTemplates.load(folder, {})).rejects.toMatchObject({ code: 'ERR_FORMAT' });
    },
  );
});
