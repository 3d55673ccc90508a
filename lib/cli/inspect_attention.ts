import { entropyUnits } from '../analysis/attention_statistics.js';
import { attentionPage } from '../analysis/pages/attention_page.js';
import { HeddleError } from '../errors.js';
import { type AttentionMaps, attentionMaps } from '../tasks/attention_maps.js';
import type { Model } from '../tasks/model.js';
import { written } from './arguments.js';
import { cellOf, noteRead, readingOptions, shade, writePage } from './inspect_options.js';
import { choice, printJson, printLine, table } from './output.js';

/** Columns of a map in the terminal. */
const widest = 64;

export async function inspectAttention(
  model: Model,
  text: string,
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const unit = choice('unit', options.unit, entropyUnits);
  const layers = options.layers === undefined ? undefined : listOfLayers(written('layers') ?? '');
  const found = await attentionMaps(model, text, {
    ...readingOptions(options, signal),
    ...(unit ? { unit } : {}),
    ...(layers ? { layers } : {}),
  });
  const head =
    options.head === undefined ? focusedHead(found) : namedHead(found, written('head') ?? '');
  noteRead(found);
  if (options.html !== undefined) {
    const title = `Attention of ${model.architecture} in “${cellOf(text, 60)}”`;
    const page = { ...found, title, causal: model.kind === 'decoder' };
    await writePage(String(options.html), attentionPage(page));
  }
  if (options.json)
    printJson(documentOf(model, found, options.head === undefined ? undefined : head));
  else print(found, head);
}

/** `0,4-6` as numbers. */
export function listOfLayers(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [, first, last = first] = /^\s*(\d{1,6})\s*(?:-\s*(\d{1,6}))?\s*$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === undefined || to < from || to - from > 1e4) {
      throw new HeddleError(
        'ERR_ARGUMENT',
        `--layers: expected numbers of layers from 0, such as 0,4-6, found '${list}'`,
      );
    }
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

interface Place {
  /** Index into the layers that were watched. */
  row: number;
  head: number;
}

/** The head of least entropy among those that do not mostly look at one place that says nothing of the text. */
function focusedHead({ layers }: AttentionMaps): Place {
  const places = layers.flatMap(({ heads }, row) => heads.map((_, head) => ({ row, head })));
  const statistics = ({ row, head }: Place) => layers[row]?.heads[head];
  const telling = places.filter((place) => {
    const { first = 1, self = 1, previous = 1 } = statistics(place) ?? {};
    return Math.max(first, self, previous) < 0.5;
  });
  const entropyOf = (place: Place): number => statistics(place)?.entropy ?? Infinity;
  const [best] = (telling.length > 0 ? telling : places).sort(
    (a, b) => entropyOf(a) - entropyOf(b),
  );
  return best ?? { row: 0, head: 0 };
}

function namedHead({ layers }: AttentionMaps, name: string): Place {
  const [, layer, head] = /^(\d+)\.(\d+)$/.exec(name) ?? [];
  const row = layers.findIndex((each) => each.layer === Number(layer));
  if (head !== undefined && Number(head) < (layers[row]?.heads.length ?? 0)) {
    return { row, head: Number(head) };
  }
  const most = (layers[0]?.heads.length ?? 1) - 1;
  throw new HeddleError(
    'ERR_ARGUMENT',
    `--head: expected LAYER.HEAD, of layers ${layers.map((each) => each.layer).join(', ')} and heads 0 to ${most}, found '${name}'`,
  );
}

const mapOf = ({ layers, tokens }: AttentionMaps, { row, head }: Place): Float32Array => {
  const size = tokens.length ** 2;
  return layers[row]?.weights.subarray(head * size, (head + 1) * size) ?? new Float32Array(size);
};

/** @param head whose weights are told, too. */
function documentOf(model: Model, found: AttentionMaps, head: Place | undefined): object {
  const { tokens, length, unit, layers } = found;
  const n = tokens.length;
  const map = head && mapOf(found, head);
  return {
    architecture: model.architecture,
    tokens,
    length,
    unit,
    layers: layers.map(({ layer, heads }) => ({ layer, heads })),
    ...(head && map
      ? {
          head: {
            layer: layers[head.row]?.layer,
            head: head.head,
            weights: tokens.map((_, i) => Array.from(map.subarray(i * n, (i + 1) * n))),
          },
        }
      : {}),
  };
}

function print(found: AttentionMaps, place: Place): void {
  const { layers, tokens, unit } = found;
  const n = tokens.length;
  const most = Math.log(n) / (unit === 'bits' ? Math.LN2 : 1);
  const heads = Math.max(...layers.map((layer) => layer.heads.length));
  const mean = (values: number[]): string =>
    (values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(2);
  printLine(
    `entropy of each head, ${unit}: darker looks at fewer tokens (0: at one, ${most.toFixed(2)}: at all ${n} alike)`,
  );
  const isNarrow = heads <= 12;
  const rows = layers.map(({ layer, heads: all }) => [
    `layer ${layer}`,
    ...(isNarrow
      ? all.map(({ entropy }) => `${shade(1 - entropy / (most || 1))}${entropy.toFixed(2)}`)
      : [all.map(({ entropy }) => shade(1 - entropy / (most || 1))).join('')]),
    mean(all.map(({ entropy }) => entropy)),
    mean(all.map(({ distance }) => distance)),
  ]);
  const numbers = isNarrow ? Array.from({ length: heads }, (_, i) => `${i}`) : ['heads'];
  const header = ['', ...numbers, 'mean', 'distance'];
  printLine(table([header, ...rows], [...header.keys()].slice(isNarrow ? 1 : 2)));
  const { layer = 0, heads: all = [] } = layers[place.row] ?? {};
  const { entropy = 0, distance = 0 } = all[place.head] ?? {};
  printLine();
  printLine(
    `layer ${layer}, head ${place.head} (--head ${layer}.${place.head}): entropy ${entropy.toFixed(2)} ${unit}, mean distance ${distance.toFixed(1)}`,
  );
  printMap(found, mapOf(found, place));
}

/** A row for each token that looks; where there are many, the greatest weight of those that share a cell. */
function printMap({ tokens }: AttentionMaps, map: Float32Array): void {
  const n = tokens.length;
  const cells = Math.min(n, widest);
  const names = tokens.map(({ text }) => cellOf(text));
  const label = Math.max(...names.map((name) => [...name].length));
  const wide = n <= widest / 2 ? 2 : 1;
  for (let line = 0; line < cells; line++) {
    const [from, to] = [line, line + 1].map((edge) => Math.floor((edge * n) / cells)) as [
      number,
      number,
    ];
    const greatest = new Float32Array(cells);
    for (let query = from; query < to; query++) {
      for (let key = 0; key < n; key++) {
        const cell = Math.floor((key * cells) / n);
        greatest[cell] = Math.max(greatest[cell], map[query * n + key]);
      }
    }
    const name = names[from] ?? '';
    const shades = Array.from(greatest, (weight) => shade(Math.sqrt(weight)).repeat(wide)).join('');
    printLine(`${' '.repeat(label - [...name].length)}${name} │${shades}│`);
  }
  if (cells < n) printLine(`(${n} tokens in ${cells} cells, the greatest weight in each)`);
}
