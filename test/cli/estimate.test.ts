import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { budgetPlot } from '../../lib/cli/estimate_plot.js';
import { estimate } from '../../lib/tasks/estimate.js';
import { plainConfig } from '../../lib/tasks/estimate_source.js';
import { temporaryFolder } from '../tasks/tiny_model.js';
import { heddle } from './heddle.js';

const llama = fileURLToPath(new URL('../fixtures/models/llama/1', import.meta.url));
const gpt2 = ['--layers', '12', '--hidden', '768', '--heads', '12', '--vocabulary', '50257'];

describe('heddle estimate', () => {
  it('prints one document, of GPT-2 as it was published (Radford et al. 2019)', async () => {
    const { code, stdout, stderr } = await heddle([
      'estimate',
      ...gpt2,
      '--positions',
      '1024',
      '--batch',
      '2',
      '--json',
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { parameters, flops, memory, workload } = JSON.parse(stdout);
    expect(parameters).toMatchObject({ total: 124_439_808, active: 124_439_808 });
    expect(flops.step).toBe(flops.forward + flops.backward + flops.optimizer);
    expect(memory.inference.weights).toBeGreaterThanOrEqual(4 * parameters.total);
    expect(memory.training.total).toBeGreaterThan(16 * parameters.total);
    expect(workload).toMatchObject({ batch: 2, length: 512 });
  });

  it('reads a folder, prints a table and draws the budget', async () => {
    const plot = join(await temporaryFolder(), 'plots', 'budget.svg');
    const { code, stdout } = await heddle(['estimate', llama, '--zero', '1', '--plot', plot]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^LlamaForCausalLM, 1 × 96 tokens\n\nParameters\n/);
    expect(stdout).toMatch(/\n {2}total +20,514\n/);
    expect(await readFile(plot, 'utf8')).toMatch(/^<svg .*FLOP/s);
    // Beside the passes the optimiser cannot be seen, so that its row is left out.
    const { stdout: json } = await heddle([
      'estimate',
      ...gpt2,
      '--batch',
      '16',
      '--json',
      '--plot',
      plot,
    ]);
    const { flops } = JSON.parse(json);
    expect(flops.optimizer).toBeLessThan(0.002 * flops.backward);
    expect(await readFile(plot, 'utf8')).toContain('with 2 values: forward, backward"');
  });

  it.each([1, undefined])(
    'gives each part of a panel a colour of its own, %s key heads',
    (keyHeads) => {
      const sizes = { layers: 4, hidden: 256, heads: 4, vocabulary: 5000 };
      const config = plainConfig(keyHeads === undefined ? sizes : { ...sizes, keyHeads });
      const { vconcat: panels } = budgetPlot(estimate(config)) as unknown as {
        vconcat: { encoding: { color: { scale: { range: string[] } } } }[];
      };
      const colours = panels.map(({ encoding }) => encoding.color.scale.range);
      for (const range of colours) expect(new Set(range).size).toBe(range.length);
      expect(colours).toHaveLength(3);
    },
  );

  it.each([
    [
      ['--layers', '2', '--hidden', '10', '--heads', '3', '--vocabulary', '9'],
      /--heads.*--hidden, 10.*3/,
    ],
    [[...gpt2, '--key-heads', '5'], /--key-heads.*--heads, 12.*5/],
    [[...gpt2, '--layers', '10001'].slice(2), /--layers.*at most 10000/],
    [[...gpt2, '--price', '2'], /price.*--machine/],
    [[...gpt2, '--machine', 'v100'], /a100, h100 or a file.*'v100'/],
    [[...gpt2, '--plot', tmpdir()], /--plot: .* cannot be written/],
    [['nofile.json'], /nofile\.json.*no such file/],
    [[...gpt2, '--batch', '0'], /--batch.*'0'/],
    [[...gpt2, '--zero', '4'], /--zero.*0 to 3.*'4'/],
    [[...gpt2, '--tokens', '-1'], /--tokens.*'-1'/],
    [['--layers', '2'], /--hidden.*none/],
    [[], /config\.json.*--layers.*neither/],
  ])('refuses %j', async (args, message) => {
    const { code, stdout, stderr } = await heddle(['estimate', ...args]);
    expect([1, 2]).toContain(code);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^heddle: [^\n]*\n$/);
    expect(stderr).toMatch(message);
  });

  it('names the field that a config.json lacks', async () => {
    const folder = await temporaryFolder();
    const config = JSON.parse(await readFile(join(llama, 'config.json'), 'utf8'));
    delete config.intermediate_size;
    await writeFile(join(folder, 'config.json'), JSON.stringify(config));
    const { code, stderr } = await heddle(['estimate', join(folder, 'config.json')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/intermediate_size/);
  });
});
