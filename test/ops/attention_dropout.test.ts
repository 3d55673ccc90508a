import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gradient } from '../../lib/graph/gradient.js';
import { compile } from '../../lib/graph/run.js';
import { input, type Tensor, tensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';
import { readTensors } from '../../scripts/conformance/models.mjs';
import { nativeBackend } from '../native.js';
import { firstDifference, reference } from '../reference.js';

interface Case {
  heads: number;
  keyHeads: number;
  lengths: number[];
  keyLengths: number[];
  causal: boolean;
  rate: number;
  site: number;
  seed: number;
  step: number;
}

/** From PyTorch, by scripts/fixtures/attention_dropout.py. */
const folder = new URL('../fixtures/attention_dropout/', import.meta.url);
const cases: Record<string, Case> = JSON.parse(readFileSync(new URL('cases.json', folder), 'utf8'));
const golden = readTensors(readFileSync(new URL('cases.safetensors', folder)));

const int32 = (...values: number[]): Tensor => tensor(Int32Array.from(values), [values.length]);

function offsetsOf(lengths: readonly number[]): Tensor {
  let end = 0;
  return int32(0, ...lengths.map((length) => (end += length)));
}

describe.each(Object.entries(cases))('dropout of attention as in PyTorch: %s', (name, given) => {
  const { lengths, keyLengths, rate, site, seed, step, heads, keyHeads, causal } = given;
  const goldenOf = (part: string) => {
    const found = golden.get(`${name}.${part}`);
    if (!found) throw new Error(`${name}.${part}`);
    return found;
  };
  const [q, k, v] = ['q', 'k', 'v'].map((part) => input(part, goldenOf(part).shape, 'float32')) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const dropout = { rate, site, seed: int32(seed), step: int32(step) };
  const segments = { segments: offsetsOf(lengths), keySegments: offsetsOf(keyLengths) };
  const output = ops.attention(q, k, v, { heads, keyHeads, causal, ...segments, dropout });
  const upstream = goldenOf('upstream');
  const [rows = 0, width = 0] = upstream.shape;
  const weighted = ops.multiply(output, tensor(Float32Array.from(upstream.data), [rows, width]));
  const ones = (count: number, shape: number[]) => tensor(new Float32Array(count).fill(1), shape);
  const loss = ops.matmul(ops.matmul(ones(rows, [1, rows]), weighted), ones(width, [width, 1]));
  const [dq, dk, dv] = gradient(loss, [q, k, v]) as [Tensor, Tensor, Tensor];
  const outputs = { output, dq, dk, dv };
  const feeds = Object.fromEntries(
    ['q', 'k', 'v'].map((part) => [part, Float32Array.from(goldenOf(part).data)]),
  );

  it('natively', async () => {
    const graph = await compile(outputs, new Map(), { backend: nativeBackend() });
    const results = await graph.run(feeds);
    for (const part of ['output', 'dq', 'dk', 'dv'] as const) {
      const found = results[part].data;
      expect(firstDifference(found, goldenOf(part).data, 1e-5, 1e-5), part).toBeUndefined();
    }
    graph.dispose();
  });

  it('in float64', async () => {
    const results = await reference(outputs, feeds);
    for (const part of ['output', 'dq', 'dk', 'dv'] as const) {
      const found = results[part];
      expect(firstDifference(found, goldenOf(part).data, 1e-6, 1e-6), part).toBeUndefined();
    }
  });
});
