/** Where checkpoints keep their chat templates. */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { mismatch } from '../errors.js';
import { readObjectIfThere, readTextIfThere } from './optional_files.js';
import { describe, isObject, type JsonObject, own } from './tokenizer_json.js';

export interface TemplateSource {
  readonly source: string;
  /** The file, and the template's name where the file has several. */
  readonly where: string;
}

/** The name of the one that is used when none is asked for. */
export const defaultTemplate = 'default';

/**
 * The templates of a checkpoint by name: chat_template.jinja and additional_chat_templates/*.jinja, else
 * chat_template.json, else those in tokenizer_config.json, which has one or a list. Empty where there are none.
 * @throws ERR_FILE, ERR_FORMAT.
 */
export async function readChatTemplates(folder: string): Promise<Map<string, TemplateSource>> {
  const templates = new Map<string, TemplateSource>();
  const read = async (name: string, path: string): Promise<void> => {
    const source = await readTextIfThere(path);
    if (source !== undefined) templates.set(name, { source, where: path });
  };
  await read(defaultTemplate, join(folder, 'chat_template.jinja'));
  const more = join(folder, 'additional_chat_templates');
  for (const file of (await readdir(more).catch((): string[] => [])).sort()) {
    if (file.endsWith('.jinja')) await read(basename(file, '.jinja'), join(more, file));
  }
  for (const file of ['chat_template.json', 'tokenizer_config.json']) {
    if (templates.size > 0) break;
    const path = join(folder, file);
    const json = await readObjectIfThere(path);
    if (json !== undefined)
      for (const [name, each] of inConfig(json, path)) templates.set(name, each);
  }
  return templates;
}

function inConfig(json: JsonObject, path: string): [string, TemplateSource][] {
  const value = own(json, 'chat_template');
  const where = `${path}: chat_template`;
  if (value === undefined || value === null) return [];
  if (typeof value === 'string') return [[defaultTemplate, { source: value, where }]];
  if (!Array.isArray(value)) {
    throw mismatch('ERR_FORMAT', where, 'a text or a list of named texts', describe(value));
  }
  return value.map((each: unknown, index) => {
    const name = isObject(each) ? own(each, 'name') : undefined;
    const source = isObject(each) ? own(each, 'template') : undefined;
    if (typeof name !== 'string' || typeof source !== 'string') {
      const expected = "an object with the texts 'name' and 'template'";
      throw mismatch('ERR_FORMAT', `${where}[${index}]`, expected, describe(each));
    }
    return [name, { source, where: `${where}: ${name}` }];
  });
}
