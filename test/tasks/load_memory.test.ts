import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'heddle-'));
afterAll(() => rmSync(folder, { recursive: true }));

const [hidden, layers, vocab, inner] = [768, 6, 30000, 3072];

/** A BERT of zeros, as a sparse file: its 260 MB take no disk. @returns bytes of weights. */
function writeModel(): number {
  const config = {
    architectures: ['BertModel'],
    vocab_size: vocab,
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: 12,
    intermediate_size: inner,
    max_position_embeddings: 512,
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const tensors = new Map<string, number[]>();
  const linear = (name: string, outputs: number, inputs: number): void => {
    tensors.set(`${name}.weight`, [outputs, inputs]);
    tensors.set(`${name}.bias`, [outputs]);
  };
  const norm = (name: string): void => {
    for (const part of ['weight', 'bias']) tensors.set(`${name}.${part}`, [hidden]);
  };
  tensors.set('embeddings.word_embeddings.weight', [vocab, hidden]);
  tensors.set('embeddings.position_embeddings.weight', [512, hidden]);
  tensors.set('embeddings.token_type_embeddings.weight', [2, hidden]);
  norm('embeddings.LayerNorm');
  for (let i = 0; i < layers; i++) {
    const layer = `encoder.layer.${i}`;
    for (const part of ['query', 'key', 'value'])
      linear(`${layer}.attention.self.${part}`, hidden, hidden);
    linear(`${layer}.attention.output.dense`, hidden, hidden);
    norm(`${layer}.attention.output.LayerNorm`);
    linear(`${layer}.intermediate.dense`, inner, hidden);
    linear(`${layer}.output.dense`, hidden, inner);
    norm(`${layer}.output.LayerNorm`);
  }
  let bytes = 0;
  const header: Record<string, unknown> = {};
  for (const [name, shape] of tensors) {
    const begin = bytes;
    bytes += 4 * shape.reduce((product, dim) => product * dim, 1);
    header[name] = { dtype: 'F32', shape, data_offsets: [begin, bytes] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(join(folder, 'model.safetensors'), 'w');
  writeFileSync(file, Buffer.concat([length, json]));
  ftruncateSync(file, 8 + json.length + bytes);
  closeSync(file);
  return bytes;
}

/** The most memory, in bytes, that a process of its own had in RAM while it loaded a model. */
function peakOfLoading(model: string): number {
  const library = pathToFileURL(
    fileURLToPath(new URL('../../dist/index.mjs', import.meta.url)),
  ).href;
  const program = `const { load } = await import(${JSON.stringify(library)});
    await load(${JSON.stringify(model)});
    console.log(process.resourceUsage().maxRSS * 1024);`;
  return Number(
    execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }),
  );
}

describe('loading', () => {
  it('takes at most 1.15 times the weights and 64 MB', () => {
    const bytes = writeModel();
    const small = fileURLToPath(new URL('../fixtures/models/bert/a', import.meta.url));
    const added = peakOfLoading(folder) - peakOfLoading(small);
    expect(bytes).toBeGreaterThan(250e6);
    expect(added).toBeGreaterThan(0.9 * bytes); // or the weights were not loaded
    expect(added).toBeLessThan(1.15 * bytes + 64e6);
  });
});
