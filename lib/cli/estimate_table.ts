import type { Estimate } from '../tasks/estimate.js';
import { formatBytes, table } from './output.js';

/** An estimate for people. */
export function estimateTable(of: Estimate): string {
  const { workload, training, roofline } = of;
  const { batch, length } = workload;
  const tokens = batch * length;
  return [
    `${of.architecture}, ${batch} × ${length} tokens${workload.dtype ? `, ${workload.dtype}` : ''}`,
    parameters(of),
    flops(of),
    memory(of),
    section('Arithmetic intensity, FLOPs per byte', [
      ['forward', roofline.forward.intensity.toFixed(1)],
      ...(roofline.decode ? [['next token', roofline.decode.intensity.toFixed(1)]] : []),
    ]),
    ...(roofline.tokensPerSecond
      ? [
          section(`At most on ${workload.machine?.name ?? 'the machine'}`, [
            ['forward', `${short(roofline.tokensPerSecond.forward)} tokens/s`],
            ['', `${duration(roofline.forward.seconds ?? 0)} for ${short(tokens)} tokens`],
            ...(roofline.tokensPerSecond.decode === null
              ? []
              : [['next token', `${short(roofline.tokensPerSecond.decode)} tokens/s`]]),
          ]),
        ]
      : []),
    section(`Training on ${short(training.tokens)} tokens`, [
      ['6PD', `${training.flops.toExponential(3)} FLOPs`],
      ...(training.seconds === null ? [] : [['time', duration(training.seconds)]]),
      ...(training.deviceHours === null ? [] : [['device hours', short(training.deviceHours)]]),
      ...(training.cost === null ? [] : [['cost', short(training.cost)]]),
      ...([1, 2, 3] as const).map((approach) => [
        `optimal (approach ${approach})`,
        `${short(training.optimal[approach].tokens)} tokens`,
      ]),
    ]),
  ].join('\n\n');
}

function parameters({ parameters: { total, active, components } }: Estimate): string {
  const rows = Object.entries(components).map(([name, count]) => [
    name,
    count.toLocaleString('en'),
    percent(count / total),
  ]);
  const activeRow = active === total ? [] : [['active', active.toLocaleString('en'), '']];
  return section('Parameters', [...rows, ['total', total.toLocaleString('en'), ''], ...activeRow]);
}

function flops({ flops: of }: Estimate): string {
  const { forward, backward } = of.terms;
  const names = [...new Set([...Object.keys(forward), ...Object.keys(backward)])];
  const rows = names.map((name) => [
    name,
    short(forward[name as keyof typeof forward] ?? 0),
    short(backward[name as keyof typeof backward] ?? 0),
  ]);
  return section('FLOPs', [
    ['', 'forward', 'backward'],
    ...rows.filter(([, a, b]) => a !== '0' || b !== '0'),
    ['all', short(of.forward), short(of.backward)],
    ['optimizer', '', short(of.optimizer)],
    ['step', '', short(of.step)],
    ['6PD', '', short(of.sixPD)],
  ]);
}

function memory({ memory: { inference, training, trainingHere }, workload }: Estimate): string {
  const { devices, recompute } = workload;
  const size = (bytes: number): string => formatBytes(Math.round(bytes));
  const rows = (of: object, names: readonly (readonly [string, string])[]): string[][] =>
    names.map(([label, key]) => [label, size((of as Record<string, number>)[key] ?? 0)]);
  const where = devices === 1 ? 'one device' : `each of ${devices} devices`;
  return [
    section('Memory of inference', [
      ...rows(inference, [
        ['weights', 'weights'],
        ['keys and values', 'keyValueCache'],
        ['activations', 'activations'],
        ['total', 'total'],
      ]),
    ]),
    section(`Memory of training on ${where} (activations recomputed: ${recompute})`, [
      ...rows(training, [
        ['weights', 'weights'],
        ['gradients', 'gradients'],
        ['optimizer', 'optimizer'],
        ['activations', 'activations'],
        ['total', 'total'],
      ]),
    ]),
    section('Memory of training with Heddle, float32', [
      ...rows(trainingHere, [
        ['weights', 'weights'],
        ['optimizer', 'optimizer'],
        ['activations, gradients', 'arena'],
        ['total', 'total'],
      ]),
    ]),
  ].join('\n\n');
}

function section(title: string, rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map((row) => row.length));
  const even = rows.map((row) => Array.from({ length: columns }, (_, i) => row[i] ?? ''));
  const numbers = Array.from({ length: columns - 1 }, (_, i) => i + 1);
  const lines = table(even, numbers).split('\n');
  return [title, ...lines.map((line) => `  ${line}`)].join('\n');
}

const prefixes = ['', ' K', ' M', ' G', ' T', ' P', ' E'];

/** Three digits that count, with a unit of a thousand. */
export function short(value: number): string {
  if (value === 0) return '0';
  const step = Math.min(
    Math.max(0, Math.floor(Math.log10(Math.abs(value)) / 3)),
    prefixes.length - 1,
  );
  const scaled = value / 10 ** (3 * step);
  if (Math.abs(scaled) >= 1000) return value.toExponential(2);
  return `${Number(scaled.toPrecision(3))}${prefixes[step]}`;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const spans: readonly (readonly [seconds: number, name: string])[] = [
  [365.25 * 86400, 'years'],
  [86400, 'days'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
  [1e-3, 'ms'],
];

function duration(seconds: number): string {
  const [unit, name] = spans.find(([each]) => seconds >= each) ?? [1e-6, 'µs'];
  return `${short(seconds / unit)} ${name}`.replace('  ', ' ');
}
