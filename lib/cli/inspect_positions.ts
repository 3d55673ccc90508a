import type { TopLevelSpec } from 'vega-lite';
import { HeddleError } from '../errors.js';
import type { Model } from '../tasks/model.js';
import {
  type ModelPositions,
  modelPositions,
  type PositionalEncoding,
} from '../tasks/model_positions.js';
import { note, printJson, printLine } from './output.js';
import { writePlot } from './plot_svg.js';

const names: Readonly<Record<PositionalEncoding['kind'], { what: string; value: string }>> = {
  learned: { what: 'a learned table', value: 'mean cosine of two positions' },
  rotary: { what: 'rotary', value: 'mean cosine of the angles' },
  relative: { what: 'a learned bias by distance', value: 'bias of a head' },
  disentangled: { what: 'vectors of distances', value: 'cosine with the vector of distance 0' },
  alibi: { what: 'a linear bias (ALiBi)', value: 'bias of a head' },
};

export async function inspectPositions(
  model: Model,
  _text: string,
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const found = await modelPositions(model, { signal });
  if (options.plot !== undefined) {
    const file = String(options.plot);
    if (found.encodings.length === 0) {
      const message = `--plot: ${model.architecture} has no encoding of positions that could be drawn`;
      throw new HeddleError('ERR_UNSUPPORTED', message);
    }
    await writePlot(file, positionsPlot(found, model.architecture));
    note(`${file} is written`);
  }
  if (options.json) printJson({ architecture: model.architecture, ...found });
  else print(found);
}

/** `0–4, 6` for numbers in order. */
export function rangesOf(layers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const layer of layers) {
    const last = runs.at(-1);
    if (last && layer === last[1] + 1) last[1] = layer;
    else runs.push([layer, layer]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ');
}

const placeOf = (layers: readonly number[]): string =>
  layers.length === 0 ? 'in the embeddings' : `in layers ${rangesOf(layers)}`;

/** Columns of a curve in the terminal. */
const columns = 64;
const heights = [...'▁▂▃▄▅▆▇█'];

function print({ encodings, windows }: ModelPositions): void {
  for (const { kind, layers, distances, curves } of encodings) {
    printLine(`${names[kind].what}, ${placeOf(layers)}: ${names[kind].value}, by distance`);
    const values = curves.flat();
    const [least, greatest] = [Math.min(...values), Math.max(...values)];
    const width = Math.min(columns, distances.length);
    curves.forEach((curve, head) => {
      const bars = Array.from({ length: width }, (_, i) => {
        const value = curve[Math.floor((i * curve.length) / width)] ?? 0;
        return heights[Math.round((7 * (value - least)) / (greatest - least || 1))];
      });
      printLine(`${curves.length > 1 ? `head ${head}`.padEnd(9) : ''}${bars.join('')}`);
    });
    printLine(
      `distance ${distances[0]} to ${distances.at(-1)}, values ${least.toPrecision(3)} to ${greatest.toPrecision(3)}`,
    );
    printLine();
  }
  if (encodings.length === 0) printLine('no encoding of positions');
  const kinds = new Map<string, number[]>();
  windows.forEach(({ before, after }, layer) => {
    const seen = visibleTokens(before, after);
    kinds.set(seen, [...(kinds.get(seen) ?? []), layer]);
  });
  for (const [seen, layers] of kinds) printLine(`a token sees ${seen}, ${placeOf(layers)}`);
}

/** What a window lets a token see of the others, in words; null is no bound. */
export function visibleTokens(before: number | null, after: number | null): string {
  const counted = (count: number | null): string =>
    count === null ? 'all tokens' : count === 1 ? '1 token' : `${count || 'no'} tokens`;
  if (before === after) return `${counted(before)} before and after itself`;
  const following = after === null ? 'all' : after || 'none';
  return `${counted(before)} before itself and ${following} after`;
}

function positionsPlot({ encodings }: ModelPositions, architecture: string): TopLevelSpec {
  return {
    title: { text: 'How positions are told', subtitle: architecture },
    vconcat: encodings.map(({ kind, layers, distances, curves }) => ({
      width: 460,
      height: 200,
      title: { text: `${names[kind].what}, ${placeOf(layers)}`, fontSize: 11 },
      data: {
        values: curves.flatMap((curve, head) =>
          curve.map((y, i) => ({ x: distances[i], y, head: `head ${head}` })),
        ),
      },
      mark: { type: 'line', strokeWidth: 1.6 },
      encoding: {
        x: { field: 'x', type: 'quantitative', title: 'distance, key − query' },
        y: { field: 'y', type: 'quantitative', title: names[kind].value, scale: { zero: false } },
        ...(curves.length > 1
          ? { color: { field: 'head', type: 'nominal', sort: null, scale: { scheme: 'viridis' } } }
          : { color: { value: '#0b6e4f' } }),
      },
    })),
    resolve: { scale: { color: 'independent' } },
  } as TopLevelSpec;
}
