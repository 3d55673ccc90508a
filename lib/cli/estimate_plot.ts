import type { TopLevelSpec } from 'vega-lite';
import type { Estimate } from '../tasks/estimate.js';
import style from './plot_style.json' with { type: 'json' };

interface Bar {
  readonly what: string;
  readonly part: string;
  readonly amount: number;
}

/** Smaller parts of a row, and rows beside the longest, cannot be seen. */
const leastShare = 0.002;

const sumOf = (parts: Readonly<Record<string, number>>): number =>
  Object.values(parts).reduce((sum, amount) => sum + amount, 0);

/** Where parameters, arithmetic and memory go: three rows of stacked bars. */
export function budgetPlot(of: Estimate): TopLevelSpec {
  const { batch, length } = of.workload;
  const { inference, training, trainingHere } = of.memory;
  const devices = of.workload.devices;
  const perDevice = devices === 1 ? 'training, one device' : `training, each of ${devices}`;
  const bars = (what: string, parts: Readonly<Record<string, number>>): Bar[] =>
    Object.entries(parts)
      .filter(([part, amount]) => amount > leastShare * sumOf(parts) && part !== 'total')
      .map(([part, amount]) => ({ what, part: spelt(part), amount }));
  const { activationsBy: _, total: __, ...states } = training;
  const panel = (title: string, unit: number, values: Bar[]) => ({
    title: { text: title, fontSize: 12, frame: 'group' as const },
    width: 560,
    height: { step: 30 },
    data: { values: values.map((bar) => ({ ...bar, amount: bar.amount / unit })) },
    mark: { type: 'bar' as const, stroke: 'white', strokeWidth: 1 },
    encoding: {
      y: {
        field: 'what',
        type: 'nominal' as const,
        sort: null,
        axis: { title: null, domain: false, ticks: false },
      },
      x: { field: 'amount', type: 'quantitative' as const, axis: { title: null, tickCount: 6 } },
      color: {
        field: 'part',
        type: 'nominal' as const,
        sort: null,
        // A part has one colour in all panels.
        scale: { domain: present(values), range: present(values).map(colourOf) },
        legend: { orient: 'right' as const, title: null, labelLimit: 240 },
      },
      order: { field: 'order', type: 'quantitative' as const },
    },
  });
  return {
    title: {
      text: `What ${of.architecture} costs`,
      subtitle: `${of.parameters.total.toLocaleString('en')} parameters, ${batch} × ${length} tokens`,
    },
    spacing: 24,
    resolve: { scale: { color: 'independent', x: 'independent' } },
    vconcat: [
      panel('Parameters, millions', 1e6, visible(bars('all', of.parameters.components))),
      panel(
        'Arithmetic of a training step, GFLOP',
        1e9,
        visible([
          ...bars('forward', of.flops.terms.forward),
          ...bars('backward', of.flops.terms.backward),
          ...bars('optimizer', { optimizer: of.flops.optimizer }),
        ]),
      ),
      panel(
        'Memory, GiB',
        2 ** 30,
        visible([
          ...bars('inference', { ...inference }),
          ...bars(perDevice, states),
          ...bars('training, Heddle', {
            weights: trainingHere.weights,
            optimizer: trainingHere.optimizer,
            'activations, gradients': trainingHere.arena,
          }),
        ]),
      ),
    ],
  };
}

/** The rows that can be seen, their parts in order. */
function visible(bars: readonly Bar[]): (Bar & { readonly order: number })[] {
  const lengths = new Map<string, number>();
  for (const { what, amount } of bars) lengths.set(what, (lengths.get(what) ?? 0) + amount);
  const least = leastShare * Math.max(...lengths.values());
  return bars
    .filter(({ what }) => (lengths.get(what) ?? 0) >= least)
    .map((bar, order) => ({ ...bar, order }));
}

const present = (bars: readonly Bar[]): string[] => [...new Set(bars.map(({ part }) => part))];

/** As long as the style's colours: of arithmetic and parameters, then of memory. */
const kinds = [
  ['attention', 'feed forward', 'scores', 'experts', 'head', 'embedding', 'normalization', 'other'],
  ['weights', 'activations, gradients', 'activations', 'gradients', 'key value cache', 'optimizer'],
];

/** Of a part that is in neither list, the last. The optimiser is in two panels, and embeddings take no arithmetic to speak of. */
function colourOf(part: string): string {
  const colours = style.config.range.category;
  const place = Math.max(...kinds.map((parts) => parts.indexOf(part)));
  return colours.at(place) ?? '#666666';
}

/** `keyValueCache` as words. */
const spelt = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
