import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Config, readConfig } from '../../lib/checkpoints/config.js';

const config = new Config(
  JSON.parse(`{
    "architectures": ["BertModel"], "model_type": "bert", "dim": 768, "n_layers": null, "eps": 1e-12,
    "act": "gelu", "tied": false, "half": 1.5, "negative": -1, "text": "7", "__proto__": {"inherited": 3},
    "torch_dtype": "bfloat16", "id2label": {"0": "a", "1": "b", "2": "c"}
  }`),
  'm/config.json',
);

describe('Config', () => {
  it('reads fields by type, in any of their spellings', () => {
    expect(config.architectures).toEqual(['BertModel']);
    expect(config.modelType).toBe('bert');
    expect(config.integer('hidden_size', { aliases: ['dim'] })).toBe(768);
    expect(config.integer('n_layers', { default: 6 })).toBe(6);
    expect(config.number('eps', { min: 0 })).toBe(1e-12);
    expect(config.string('dtype', { aliases: ['torch_dtype'] })).toBe('bfloat16');
    expect(config.boolean('tied')).toBe(false);
    expect(config.has('n_layers')).toBe(false);
    expect(config.has('hidden_size', ['dim'])).toBe(true);
    expect(config.labelCount()).toBe(3);
  });

  it.each<[string, () => unknown, string]>([
    [
      'an absent field',
      () => config.integer('hidden_size'),
      'm/config.json: hidden_size: expected an integer from 0 to 2147483647, found nothing',
    ],
    ['a null without default', () => config.integer('n_layers'), 'found nothing'],
    ['a fraction', () => config.integer('half'), 'found 1.5'],
    ['a number below', () => config.integer('negative'), 'found -1'],
    [
      'a number above',
      () => config.integer('dim', { max: 512 }),
      'an integer from 0 to 512, found 768',
    ],
    ['text for a number', () => config.integer('text'), 'found "7"'],
    [
      'another spelling, by its name',
      () => config.integer('size', { aliases: ['act'] }),
      'm/config.json: act: expected',
    ],
    ['a number for text', () => config.string('dim'), 'expected a string, found 768'],
    ['text for a flag', () => config.boolean('act'), 'expected true or false'],
    ['text for a list', () => config.stringList('act'), 'expected a list of strings'],
    [
      'a number below its least',
      () => config.number('negative', { min: 0 }),
      'a number from 0 to 3.4e38, found -1',
    ],
    ['a name of the prototype', () => config.integer('constructor'), 'found nothing'],
    ['a field put on the prototype', () => config.integer('inherited'), 'found nothing'],
  ])('refuses %s', (_what, read, message) => {
    expect(read).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
    expect(read).toThrow(message);
  });

  it('counts labels as Hugging Face does', () => {
    expect(new Config({}, 'c').labelCount()).toBe(2);
    expect(new Config({ num_labels: 5 }, 'c').labelCount()).toBe(5);
    expect(() => new Config({ id2label: [] }, 'c').labelCount()).toThrow('id2label');
  });

  it('checks what every config has', () => {
    expect(() => new Config({ architectures: 'BertModel' }, 'c')).toThrow('c: architectures');
    expect(() => new Config({ model_type: 3 }, 'c')).toThrow('c: model_type');
    expect(new Config({}, 'c')).toMatchObject({ architectures: [], modelType: undefined });
  });
});

describe('readConfig', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'heddle-config-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(['', '{', '[]', '"x"', 'null', '{"a":1}}', '\xff'])('refuses %j', async (text) => {
    const file = join(folder, 'config.json');
    await writeFile(file, text, 'latin1');
    await expect(readConfig(folder)).rejects.toMatchObject({ code: 'ERR_FORMAT', where: file });
  });

  it('refuses a file of any size it likes', async () => {
    await writeFile(join(folder, 'config.json'), Buffer.alloc(16_000_001, 0x20));
    await expect(readConfig(folder)).rejects.toThrow('at most 16000000 bytes, found 16000001');
  });

  it('says that there is none', async () => {
    await expect(readConfig(join(folder, 'x'))).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
  });
});
