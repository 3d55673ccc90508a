import { describe, expect, it } from 'vitest';
import { chromeTrace } from '../../lib/graph/chrome_trace.js';
import { addUp, type RunProfile, rooflineShare } from '../../lib/graph/profile.js';
import { compile } from '../../lib/graph/run.js';
import { SymbolicDim } from '../../lib/graph/shape.js';
import { State } from '../../lib/graph/state.js';
import { input, stateTensor } from '../../lib/graph/tensor.js';
import * as ops from '../../lib/ops/index.js';
import { measureCeilings } from '../../lib/tasks/ceilings.js';
import { nativeBackend } from '../native.js';

const rows = new SymbolicDim('rows');
const weight = new State('weight', [8, 16], 'float32', { kind: 'zeros' });

/** Profiles of runs with so many rows each, of two plans that differ in capacity. */
async function profiles(sizes: readonly number[]): Promise<RunProfile[]> {
  const backend = nativeBackend();
  const runs: RunProfile[] = [];
  const x = input('x', [rows, 16], 'float32');
  const y = ops.softmax(ops.linear(x, stateTensor(weight)).named('projection'));
  backend.onProfile = (run) => runs.push(run);
  try {
    for (const size of sizes) {
      const graph = await compile({ y }, new Map([[rows, size]]), { backend });
      await graph.run({ x: new Float32Array(size * 16) }, new Map([[rows, size]]));
      graph.dispose();
    }
  } finally {
    backend.onProfile = undefined;
  }
  return runs;
}

describe('profiles of runs', () => {
  it('add up node by node, with the work at the actual sizes', async () => {
    const runs = await profiles([3, 40]);
    const nodes = addUp(runs);
    expect(nodes.map(({ index, op, name, runs: count }) => ({ index, op, name, count }))).toEqual([
      { index: 0, op: 'linear', name: 'projection', count: 2 },
      { index: 1, op: 'softmax', name: undefined, count: 2 },
    ]);
    expect(nodes[0].flops).toBe(2 * 43 * 16 * 8);
    expect(nodes[0].bytes).toBe(4 * (43 * 16 + 2 * 8 * 16 + 43 * 8));
    const spent = (i: number): number =>
      runs.reduce((sum, { times }) => sum + times[2 * i + 1] - times[2 * i], 0);
    expect(nodes.map(({ ns }) => ns)).toEqual([spent(0), spent(1)]);
    expect(nodes.every(({ ns }) => ns > 0)).toBe(true);
  });

  it('are asked for: no run is timed otherwise', async () => {
    expect(nativeBackend().onProfile).toBeUndefined();
    expect(addUp([])).toEqual([]);
  });

  it('make a trace of nested complete events', async () => {
    const runs = await profiles([3, 40, 5]);
    const { traceEvents, displayTimeUnit } = JSON.parse(JSON.stringify(chromeTrace(runs)));
    expect(displayTimeUnit).toBe('ms');
    const named = traceEvents.filter((event: { ph: string }) => event.ph === 'M');
    expect(named.map((event: { name: string }) => event.name)).toEqual([
      'process_name',
      'thread_name',
    ]);
    const events = traceEvents.slice(named.length);
    expect(events).toHaveLength(3 * 3);
    let free = 0;
    for (let i = 0; i < events.length; i += 3) {
      const [run, ...nodes] = events.slice(i, i + 3);
      expect(run).toMatchObject({ name: 'run', ph: 'X', args: { rows: [3, 40, 5][i / 3] } });
      expect(run.ts).toBeGreaterThanOrEqual(free);
      let at = run.ts;
      for (const node of nodes) {
        expect(node).toMatchObject({ ph: 'X', pid: run.pid, tid: run.tid });
        expect(node.ts).toBeGreaterThanOrEqual(at);
        expect(node.dur).toBeGreaterThanOrEqual(0);
        at = node.ts + node.dur;
      }
      expect(at).toBeLessThanOrEqual(run.ts + run.dur + 1e-3);
      free = run.ts + run.dur;
    }
    expect(events[1]).toMatchObject({ name: 'linear projection', cat: 'linear' });
    expect(events[1].args.flops).toBe(2 * 3 * 16 * 8);
    expect(chromeTrace([]).traceEvents).toHaveLength(2);
  });
});

describe('rooflineShare', () => {
  const ceilings = { threads: 1, gflops: 100, gbps: 10 };
  const node = { index: 0, op: 'linear', name: undefined, runs: 1 };

  it('takes whichever of arithmetic and traffic bounds the node', () => {
    expect(rooflineShare({ ...node, ns: 2, flops: 100, bytes: 1 }, ceilings)).toBe(0.5);
    expect(rooflineShare({ ...node, ns: 4, flops: 100, bytes: 20 }, ceilings)).toBe(0.5);
    expect(rooflineShare({ ...node, ns: 0, flops: 0, bytes: 0 }, ceilings)).toBe(0);
  });

  it('has ceilings that are measured', async () => {
    const { threads, gflops, gbps } = await measureCeilings(nativeBackend());
    expect(threads).toBe(nativeBackend().addon.info().threads);
    expect(gflops).toBeGreaterThan(0);
    expect(gbps).toBeGreaterThan(0);
    expect(Number.isFinite(gflops + gbps)).toBe(true);
  }, 30_000);
});
