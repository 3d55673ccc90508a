import { costOf } from './cost.js';
import type { RunProfile } from './profile.js';

/** An event of the Trace Event Format: `X` is a complete one, `M` names a thread or a process. Times in microseconds. */
export interface TraceEvent {
  readonly name: string;
  readonly cat?: string;
  readonly ph: 'X' | 'M';
  readonly ts: number;
  readonly dur?: number;
  readonly pid: number;
  readonly tid: number;
  readonly args: Readonly<Record<string, string | number>>;
}

/** A document for chrome://tracing and Perfetto. */
export interface ChromeTrace {
  readonly displayTimeUnit: 'ms';
  readonly traceEvents: readonly TraceEvent[];
}

/** Runs as a Chrome trace: each run an event, and inside it each node with its work and rates. */
export function chromeTrace(runs: readonly RunProfile[]): ChromeTrace {
  const place = { pid: process.pid, tid: 1 };
  const named = (what: string, name: string): TraceEvent => ({
    name: what,
    ph: 'M',
    ts: 0,
    ...place,
    args: { name },
  });
  const events = [named('process_name', 'heddle'), named('thread_name', 'engine')];
  const origin = runs[0]?.begin ?? 0;
  let free = 0; // runs follow one another: one that waited in the queue starts where the other ended
  for (const { program, sizes, inputs, begin, times } of runs) {
    const start = Math.max(free, 1000 * (begin - origin));
    const end = start + (times.at(-1) ?? 0) / 1000;
    const cost = costOf(program, sizes, inputs);
    const symbols = Object.fromEntries(program.symbols.map((symbol, i) => [symbol, sizes[i]]));
    events.push({
      name: 'run',
      cat: 'run',
      ph: 'X',
      ts: start,
      dur: end - start,
      ...place,
      args: symbols,
    });
    cost.nodes.forEach(({ op, name, flops, bytes }, i) => {
      const ns = times[2 * i + 1] - times[2 * i];
      const rates: Record<string, number> =
        ns > 0 ? { 'GFLOP/s': flops / ns, 'GB/s': bytes / ns } : {};
      events.push({
        name: name === undefined ? op : `${op} ${name}`,
        cat: op,
        ph: 'X',
        ts: start + times[2 * i] / 1000,
        dur: ns / 1000,
        ...place,
        args: { op, flops, bytes, ...rates },
      });
    });
    free = end;
  }
  return { displayTimeUnit: 'ms', traceEvents: events };
}
