import { describe, expect, it } from 'vitest';
import { load } from '../../lib/tasks/load.js';
import { ceilings, profile } from '../../lib/tasks/profile.js';
import { tinyBert } from './tiny_model.js';

describe('profile', () => {
  it('times the nodes of the plans that a job runs, and nothing after it', async () => {
    using model = await load(tinyBert);
    let calls = 0;
    const job = async () => {
      calls++;
      await model.forward({
        inputIds: [
          [5, 6, 7],
          [8, 9, 10],
        ],
      });
    };
    const { nodes, ceilings: limits, trace } = await profile(job, { repeats: 3 });
    expect(calls).toBe(4);
    expect(nodes.map(({ index }) => index)).toEqual([...nodes.keys()]);
    expect(nodes.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6);
    const linear = nodes.find(({ op }) => op === 'linear');
    const work = (linear?.gflops ?? 0) * (linear?.ms ?? 0);
    const { name } = linear ?? {};
    expect(name).toMatch(/layer/);
    // Six rows through a projection of a model that is 32 wide.
    expect(1e6 * work).toBeCloseTo(2 * 6 * 32 * 32, 3);
    expect(limits.gflops).toBeGreaterThan(0);
    const runsOf = () => trace().traceEvents.filter(({ cat }) => cat === 'run').length;
    expect(runsOf()).toBe(3);
    await job();
    expect(runsOf()).toBe(3);
  });

  it('measures what the CPU does at most', async () => {
    const { threads, gflops, gbps } = await ceilings();
    expect([threads, gflops, gbps].every((value) => value > 0)).toBe(true);
  });

  it('refuses what is no count, and a job that runs nothing', async () => {
    await expect(profile(async () => {}, { repeats: 0 })).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
    });
    await expect(profile(async () => {})).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });
});
