import type { TopLevelSpec } from 'vega-lite';
import { HeddleError } from '../errors.js';
import type { Model } from '../tasks/model.js';
import { type TokenSimilarities, tokenSimilarities } from '../tasks/token_similarities.js';
import { cellOf, noteRead, readingOptions } from './inspect_options.js';
import { note, printJson, printLine, table } from './output.js';
import { writePlot } from './plot_svg.js';

export async function inspectClusters(
  model: Model,
  text: string,
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const threshold = thresholdOf(options.threshold);
  const found = await tokenSimilarities(model, text, {
    ...readingOptions(options, signal),
    ...(threshold === undefined ? {} : { threshold }),
  });
  noteRead(found);
  if (options.plot !== undefined) {
    const file = String(options.plot);
    await writePlot(file, clustersPlot(found, `${model.architecture}, “${cellOf(text, 60)}”`));
    note(`${file} is written`);
  }
  if (options.json) printJson({ architecture: model.architecture, ...found });
  else print(found);
}

function thresholdOf(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && value >= -1 && value <= 1) return value;
  throw new HeddleError(
    'ERR_ARGUMENT',
    `--threshold: expected a number from -1 to 1, found '${value}'`,
  );
}

/** Bins of the histogram in the terminal. */
const heights = [...' ▁▂▃▄▅▆▇█'];

function print({ tokens, layers, threshold }: TokenSimilarities): void {
  printLine(
    `inner products of ${tokens.length} tokens' directions, by layer (0: the embeddings); clusters join those from ${threshold}`,
  );
  const rows = layers.map(({ layer, mean, clusters, histogram }) => {
    const greatest = Math.max(1, ...histogram);
    const bars = histogram.map((pairs) => heights[Math.ceil((8 * pairs) / greatest)]).join('');
    return [`${layer}`, mean.toFixed(3), `${clusters}`, `▕${bars}▏`];
  });
  const width = layers[0]?.histogram.length ?? 0;
  const scale = `−1${'0'.padStart(width / 2)}${'1'.padStart(width / 2)}`;
  printLine(table([['layer', 'mean', 'clusters', scale], ...rows], [0, 1, 2]));
}

const colour = '#0b6e4f';

/** Layers whose histograms are drawn: the first, the last, and those between in even steps. */
const rowsShown = 7;

/** The histogram of pairs for layers from first to last, and the course of their mean and of the clusters. */
function clustersPlot(
  { layers, tokens, threshold }: TokenSimilarities,
  subject: string,
): TopLevelSpec {
  const count = Math.min(rowsShown, layers.length);
  const shown = new Set(
    Array.from({ length: count }, (_, i) =>
      Math.round((i * (layers.length - 1)) / Math.max(1, count - 1)),
    ),
  );
  const bars = layers
    .filter(({ layer }) => shown.has(layer))
    .flatMap(({ layer, histogram }) => {
      const pairs = Math.max(
        1,
        histogram.reduce((sum, value) => sum + value, 0),
      );
      const width = 2 / histogram.length;
      return histogram.map((value, i) => ({
        layer,
        from: -1 + i * width,
        to: -1 + (i + 1) * width,
        share: value / pairs,
      }));
    });
  const course = layers.map(({ layer, mean, clusters }) => ({ layer, mean, clusters }));
  const layerAxis = {
    field: 'layer',
    type: 'quantitative',
    title: 'layer',
    axis: { tickMinStep: 1 },
  };
  const line = (field: string, title: string, domain?: [number, number]) => ({
    width: 260,
    height: 170,
    data: { values: course },
    mark: { type: 'line', point: { color: colour }, color: colour },
    encoding: {
      x: layerAxis,
      y: {
        field,
        type: 'quantitative',
        title,
        scale: { ...(domain ? { domain } : { zero: true }) },
      },
    },
  });
  return {
    title: {
      text: 'Tokens from layer to layer',
      subtitle: `${subject}: ${tokens.length} tokens; 0 is the embeddings`,
    },
    hconcat: [
      {
        data: { values: bars },
        facet: {
          row: {
            field: 'layer',
            type: 'ordinal',
            header: { title: 'layer', labelAngle: 0, labelAlign: 'left' },
          },
        },
        spacing: 6,
        resolve: { scale: { y: 'independent' } },
        spec: {
          width: 320,
          height: 48,
          mark: { type: 'bar', binSpacing: 0.5, color: colour },
          encoding: {
            x: {
              field: 'from',
              type: 'quantitative',
              bin: { binned: true },
              scale: { domain: [-1, 1] },
              title: 'inner product of two tokens',
            },
            x2: { field: 'to' },
            y: { field: 'share', type: 'quantitative', title: null, axis: null },
          },
        },
      },
      {
        vconcat: [
          line('mean', 'mean inner product', [Math.min(0, ...course.map(({ mean }) => mean)), 1]),
          line('clusters', `clusters (from ${threshold})`),
        ],
      },
    ],
  } as TopLevelSpec;
}
