import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { HeddleError } from '../../lib/errors.js';
import type { EncoderRunner } from '../../lib/models/encoder_runner.js';
import { load } from '../../lib/tasks/load.js';
import { pipeline } from '../../lib/tasks/pipeline.js';
import { RequestBatches, type TextGraph } from '../../lib/tasks/request_batches.js';
import type { CompactEncoding } from '../../lib/text/encoding.js';
import { nativeBackend } from '../native.js';
import { fixture, tinyFolder } from './tiny_model.js';

const { addon } = nativeBackend();

/** A runner whose runs end when the test says so, and give back the ids. */
class Stage {
  readonly runs: { ids: number[]; signal: AbortSignal; end(error?: unknown): void }[] = [];
  readonly runner = {
    encoder: { limits: { typeVocabSize: 1 }, positionIds: (ids: number[]) => ids },
    run: ({ ids }: { ids: Int32Array }, _key: string, _build: unknown, { signal }: RunOptions) =>
      new Promise((resolve, reject) => {
        const end = (error?: unknown): void =>
          error === undefined ? resolve({ ids: Array.from(ids) }) : reject(error);
        signal.addEventListener('abort', () => reject(signal.reason));
        this.runs.push({ ids: Array.from(ids), signal, end });
      }),
  } as unknown as EncoderRunner;
  readonly batches: RequestBatches;

  constructor({ maxWaitMs = 1e6, maxTokens = 100 } = {}) {
    this.batches = new RequestBatches(this.runner, {
      maxWaitMs,
      maxTokens,
      enoughTokens: maxTokens,
    });
  }

  /** What was run so far, once the event loop has come round. */
  async seen(): Promise<number[][]> {
    await sleep(5);
    return this.runs.map(({ ids }) => ids);
  }
}
interface RunOptions {
  signal: AbortSignal;
}

const graphOf = (key: string): TextGraph<number[]> => ({
  key,
  planKey: key,
  build: () => ({}),
  split: (_, __, encodings) => encodings.map(({ ids }) => Array.from(ids)),
});
const graph = graphOf('a');
const text = (...ids: number[]): CompactEncoding[] => [
  { ids: Int32Array.from(ids), typeIds: new Int32Array(ids.length), overflowed: false },
];

describe('requests', () => {
  it('that come together when nothing runs share a run, each getting its own results', async () => {
    const { batches, runs, seen } = bound(new Stage());
    const asked = [text(1, 2), text(3), text(4, 5)].map((one) => batches.submit(graph, one));
    expect(await seen()).toEqual([[1, 2, 3, 4, 5]]);
    runs[0].end();
    expect(await Promise.all(asked)).toEqual([[[1, 2]], [[3]], [[4, 5]]]);
  });

  it('that come while one runs are gathered and follow when it ends', async () => {
    const { batches, runs, seen } = bound(new Stage());
    const first = batches.submit(graph, text(1));
    expect(await seen()).toEqual([[1]]);
    const others = [batches.submit(graph, text(2)), batches.submit(graph, text(3))];
    expect(await seen()).toEqual([[1]]);
    runs[0].end();
    await first;
    expect(await seen()).toEqual([[1], [2, 3]]);
    runs[1].end();
    expect(await Promise.all(others)).toEqual([[[2]], [[3]]]);
  });

  it('follow a run that is under way after maxWaitMs, but no more than one batch ahead', async () => {
    const { batches, runs, seen } = bound(new Stage({ maxWaitMs: 1 }));
    const asked = [batches.submit(graph, text(1))];
    await seen();
    asked.push(batches.submit(graph, text(2)));
    expect(await seen()).toEqual([[1], [2]]);
    asked.push(batches.submit(graph, text(3)));
    expect(await seen()).toEqual([[1], [2]]);
    runs[0].end();
    expect(await seen()).toEqual([[1], [2], [3]]);
    for (const { end } of runs) end();
    await Promise.all(asked);
  });

  it('start as soon as a batch is full, and are kept to its size', async () => {
    const { batches, runs, seen } = bound(new Stage({ maxTokens: 3 }));
    const asked = [batches.submit(graph, text(1))];
    await seen();
    asked.push(batches.submit(graph, text(2, 2)));
    expect(await seen()).toHaveLength(1);
    asked.push(batches.submit(graph, text(3, 3)), batches.submit(graph, text(4)));
    expect(await seen()).toEqual([[1], [2, 2, 4]]);
    runs[0].end();
    runs[1].end();
    expect(await seen()).toEqual([[1], [2, 2, 4], [3, 3]]);
    runs[2].end();
    const [alone] = [batches.submit(graph, text(5, 5, 5, 5, 5))];
    expect((await seen())[3]).toEqual([5, 5, 5, 5, 5]);
    runs[3].end();
    await Promise.all([...asked, alone]);
  });

  it('share runs with those of their own graph only', async () => {
    const { batches, runs, seen } = bound(new Stage({ maxWaitMs: 0 }));
    const other = graphOf('b');
    const asked = [graph, other, graph].map((one, i) => batches.submit(one, text(i)));
    expect(await seen()).toEqual([[0, 2], [1]]);
    for (const { end } of runs) end();
    expect(await Promise.all(asked)).toEqual([[[0]], [[1]], [[2]]]);
  });

  it('leave the queue or their run when they are aborted, at once, and the others go on', async () => {
    const { batches, runs, seen } = bound(new Stage());
    const [waiting, running] = [new AbortController(), new AbortController()];
    const kept = batches.submit(graph, text(1));
    const dropped = batches.submit(graph, text(2), running.signal);
    await seen();
    const never = batches.submit(graph, text(3), waiting.signal);
    const later = batches.submit(graph, text(4));
    waiting.abort('tired');
    running.abort('enough');
    await expect(never).rejects.toBe('tired');
    await expect(dropped).rejects.toBe('enough');
    expect(runs[0].signal.aborted).toBe(false);
    runs[0].end();
    expect(await kept).toEqual([[1]]);
    expect(await seen()).toEqual([[1, 2], [4]]);
    runs[1].end();
    await later;
    await expect(batches.submit(graph, text(5), waiting.signal)).rejects.toBe('tired');
    expect(await seen()).toHaveLength(2);
  });

  it('end a run that nobody waits for any more', async () => {
    const { batches, runs, seen } = bound(new Stage());
    const controller = new AbortController();
    const asked = [text(1), text(2)].map((one) => batches.submit(graph, one, controller.signal));
    await seen();
    let idle = false;
    batches.onIdle(() => {
      idle = true;
    });
    controller.abort('enough');
    for (const one of asked) await expect(one).rejects.toBe('enough');
    expect(runs[0].signal.aborted).toBe(true);
    await seen();
    expect(idle).toBe(true);
  });

  it('are run alone after a run of several failed, so that only the culprit fails', async () => {
    const { batches, runs, seen } = bound(new Stage());
    const asked = [1, 2, 3].map((id) => batches.submit(graph, text(id)));
    const results = Promise.allSettled(asked);
    const error = new HeddleError('ERR_INPUT', 'no');
    await seen();
    runs[0].end(error);
    expect(await seen()).toEqual([[1, 2, 3], [1]]);
    runs[1].end();
    await seen();
    runs[2].end(error);
    await seen();
    runs[3].end();
    expect(await results).toEqual([
      { status: 'fulfilled', value: [[1]] },
      { status: 'rejected', reason: error },
      { status: 'fulfilled', value: [[3]] },
    ]);
    expect(await seen()).toEqual([[1, 2, 3], [1], [2], [3]]);
  });
});

/** A stage whose `seen` may be taken out of it. */
function bound(stage: Stage) {
  const { batches, runs } = stage;
  return { batches, runs, seen: () => stage.seen() };
}

const model = await load(await tinyFolder());
afterAll(() => model.dispose());
const texts = Array.from({ length: 40 }, (_, i) => 'ab c dog'.repeat(1 + (i % 7)).slice(i % 5));

describe('concurrent calls', () => {
  it('give bit for bit what each gives alone', async () => {
    const alone: Float32Array[] = [];
    for (const one of texts) alone.push((await model.embed(one))[0]);
    const together = await Promise.all(texts.map((one) => model.embed(one)));
    expect(together.map(([vector]) => vector)).toEqual(alone);
    const mixed = await Promise.all(
      texts.map((one, i) => model.embed(one, { pooling: i % 2 ? 'first' : 'mean' })),
    );
    mixed.forEach(([vector], i) => {
      if (i % 2 === 0) expect(vector).toEqual(alone[i]);
      else expect(vector).not.toEqual(alone[i]);
    });
  });

  it('of a classifier do so too', async () => {
    const classify = await pipeline('text-classification', fixture('tasks/classify'));
    const alone = [];
    for (const one of texts) alone.push(await classify(one, { top_k: null }));
    const together = await Promise.all(texts.map((one) => classify(one, { top_k: null })));
    expect(together).toEqual(alone);
    await classify.dispose();
  });

  it('for the vectors of tokens share runs, and do so too', async () => {
    const extract = await pipeline('feature-extraction', fixture('tasks/embed'));
    const alone = [];
    for (const one of texts) alone.push(await extract(one));
    const before = addon.counters().runs;
    const together = await Promise.all(texts.map((one) => extract(one)));
    expect(addon.counters().runs - before).toBeLessThan(texts.length / 4);
    expect(together).toEqual(alone);
    await extract.dispose();
  });

  it('do not fail with one that is wrong or aborted', async () => {
    const controller = new AbortController();
    const results = Promise.allSettled(
      texts.map((one, i) => {
        if (i === 3) return model.embed(`${one} ${'a '.repeat(100)}`, { truncation: 'error' });
        if (i === 4) return model.embed(7 as unknown as string);
        if (i === 5) return model.embed(one, { signal: controller.signal });
        return model.embed(one);
      }),
    );
    controller.abort('enough');
    const settled = await results;
    expect(settled.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []))).toEqual([
      3, 4, 5,
    ]);
    expect(settled[5]).toEqual({ status: 'rejected', reason: 'enough' });
    expect(settled[3]).toMatchObject({ reason: { code: 'ERR_INPUT' } });
  });

  it('end as they would when the model is disposed meanwhile', async () => {
    const other = await load(await tinyFolder());
    const running = Promise.all(texts.map((one) => other.embed(one)));
    const controller = new AbortController();
    const dropped = other.embed(texts, { signal: controller.signal });
    other.dispose();
    controller.abort('enough');
    await expect(dropped).rejects.toBe('enough');
    expect(await running).toHaveLength(40);
    await expect(other.embed('a')).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });
});

describe('maxWaitMs', () => {
  it('is given at load, and changed on the model', async () => {
    using other = await load(await tinyFolder(), { maxWaitMs: 7 });
    expect(other.maxWaitMs).toBe(7);
    other.maxWaitMs = 0;
    expect(await Promise.all(texts.map((one) => other.embed(one)))).toHaveLength(40);
    for (const wrong of [-1, Number.NaN, '2', null]) {
      expect(() => {
        other.maxWaitMs = wrong as number;
      }).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT' }));
      const loading = load(fixture('tasks/embed'), { maxWaitMs: wrong as number });
      await expect(loading).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    }
  });
});

describe('texts that are too long', () => {
  const long = ['a', 'b '.repeat(60), 'c '.repeat(99)];

  it('are cut, and counted', async () => {
    const cuts: object[] = [];
    const vectors = await model.embed(long, { onTruncate: (cut) => cuts.push(cut) });
    expect([vectors.length, cuts]).toEqual([3, [{ count: 2, maxLength: 48 }]]);
    await model.embed('a', { truncation: true, onTruncate: (cut) => cuts.push(cut) });
    expect(cuts).toHaveLength(1);
  });

  it('are refused where the option says so', async () => {
    await expect(model.embed(long, { truncation: 'error' })).rejects.toMatchObject({
      code: 'ERR_INPUT',
      message: expect.stringMatching(/texts\[1\].*at most 48 tokens.*leave out truncation/),
    });
    for (const wrong of [false, 'no', null]) {
      const call = model.embed('a', { truncation: wrong as true });
      await expect(call).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    }
    const call = model.embed('a', { onTruncate: 7 as unknown as () => void });
    await expect(call).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
  });
});
