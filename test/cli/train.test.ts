import { spawn } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fixture, temporaryFolder } from '../tasks/tiny_model.js';
import { heddle, shell } from './heddle.js';

async function configured(fields: object = {}): Promise<{ folder: string; config: string }> {
  const folder = await temporaryFolder();
  const config = join(folder, 'config.json');
  const text = 'the quick brown fox jumps over the lazy dog\n'.repeat(20);
  await writeFile(join(folder, 'data.txt'), text);
  const model = {
    architectures: ['GPT2LMHeadModel'],
    n_embd: 16,
    n_layer: 1,
    n_head: 2,
    n_positions: 16,
  };
  const run = {
    task: 'language-model',
    model,
    tokenizer: 'characters',
    data: 'data.txt',
    output: 'run',
    steps: 6,
    batchTokens: 64,
    ...fields,
  };
  await writeFile(config, JSON.stringify(run));
  return { folder, config };
}

describe('heddle train', () => {
  it('prints a line for each logged step, and leaves a model and a report', async () => {
    const { folder, config } = await configured({
      logEvery: 2,
      evaluation: 0.1,
      evaluateEvery: 3,
      test: 'data.txt',
    });
    const { code, stdout } = await heddle(['train', config, '--json']);
    expect(code).toBe(0);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const steps = lines.filter(({ gradNorm }) => gradNorm !== undefined);
    expect(steps.map(({ step }) => step)).toEqual([2, 4, 6]);
    for (const line of steps) {
      expect(Object.keys(line)).toEqual([
        'step',
        'loss',
        'gradNorm',
        'learningRate',
        'tokensPerSecond',
      ]);
    }
    expect(lines.at(-1)).toMatchObject({
      folder: join(folder, 'run', 'model'),
      test: { loss: expect.any(Number) },
    });
    const metrics = await readFile(join(folder, 'run', 'metrics.jsonl'), 'utf8');
    expect(JSON.parse(metrics.trim().split('\n').at(-1) ?? '')).toEqual({
      step: 6,
      test: lines.at(-1).test,
    });
    expect((await readdir(join(folder, 'run', 'model'))).sort()).toEqual([
      'config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    const report = join(folder, 'run', 'report.html');
    expect((await stat(report)).size).toBeLessThan(1_000_000);
    const page = await readFile(report, 'utf8');
    expect(page.match(/<svg/g)).toHaveLength(4);
    expect(page).toContain('<dt>test loss</dt>');
    expect(page).not.toMatch(/<script|https?:|NaN|undefined/);
  });

  it('goes on after kill −9 from whole checkpoints', async () => {
    const { folder, config } = await configured({ steps: 100_000, checkpointEvery: 1 });
    const command = fileURLToPath(new URL('../../dist/cli.mjs', import.meta.url));
    const checkpoints = join(folder, 'run', 'checkpoints');
    const run = spawn(process.execPath, [command, 'train', config], { stdio: 'ignore' });
    const ended = new Promise((resolve) => run.once('close', resolve));
    const newest = async () =>
      (await readdir(checkpoints).catch(() => []))
        .filter((name) => name.startsWith('step-'))
        .sort()
        .at(-1);
    while ((await newest()) === undefined) await setTimeout(20);
    run.kill('SIGKILL');
    await ended;
    const step = Number((await newest())?.slice('step-'.length));
    const fields = JSON.parse(await readFile(config, 'utf8'));
    await writeFile(config, JSON.stringify({ ...fields, steps: step + 2 }));
    const { code, stderr } = await heddle(['train', config, '--resume']);
    expect(stderr).toContain(`going on from step ${step}`);
    expect(code).toBe(0);
    expect((await readdir(checkpoints)).some((name) => name.startsWith('.'))).toBe(false);
  });

  it('says where there is no room, and leaves nothing half', async () => {
    const { folder, config } = await configured();
    const { code, stderr } = await shell('ulimit -f 16; $heddle train "$1"', [config]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/cannot be written.*no room/);
    expect(await readdir(join(folder, 'run', 'checkpoints'))).toEqual([]);
  });
});

describe('a run that is resumed where there is no room', () => {
  it('leaves earlier checkpoints and the model as they were', async () => {
    const { folder, config } = await configured({ steps: 2 });
    expect((await heddle(['train', config])).code).toBe(0);
    const kept = [
      'model/model.safetensors',
      'checkpoints/step-00000002/model.safetensors',
      'checkpoints/step-00000002/optimizer.safetensors',
    ].map((name) => join(folder, 'run', name));
    const contents = () => Promise.all(kept.map((file) => readFile(file)));
    const before = await contents();
    const fields = JSON.parse(await readFile(config, 'utf8'));
    await writeFile(config, JSON.stringify({ ...fields, steps: 4 }));
    const { code, stderr } = await shell('ulimit -f 16; $heddle train "$1" --resume', [config]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/step-00000004.*cannot be written.*no room/),
    });
    expect(await contents()).toEqual(before);
    expect(await readdir(join(folder, 'run', 'checkpoints'))).toEqual(['step-00000002']);
    const { code: again, stderr: said } = await heddle(['train', config, '--resume']);
    expect({ again, said }).toEqual({ again: 0, said: expect.stringMatching(/from step 2/) });
  });
});

describe('heddle merge', () => {
  it('writes what needs no adapter any more', async () => {
    const out = join(await temporaryFolder(), 'merged');
    const args = ['merge', fixture('models/gpt2/1'), fixture('adapters/gpt2'), '--out', out];
    const { code, stdout } = await heddle([...args, '--json']);
    expect({ code, folder: JSON.parse(stdout).folder }).toEqual({ code: 0, folder: out });
    expect(await readdir(out)).toEqual(
      expect.arrayContaining(['config.json', 'model.safetensors']),
    );
    const { code: wrong, stderr } = await heddle(args.slice(0, 3));
    expect({ wrong, stderr }).toEqual({ wrong: 2, stderr: expect.stringMatching(/--out/) });
  });
});
