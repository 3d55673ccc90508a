/** A training run as one page: plots as SVG, no script, nothing from elsewhere. */
import { htmlPage } from '../analysis/pages/html_page.js';
import type { MetricsLine } from './training_record.js';

interface Series {
  readonly name: string;
  readonly colour: string;
  /** Whether each of its points is marked. */
  readonly isMarked: boolean;
  readonly points: readonly (readonly [x: number, y: number])[];
}

// Plots shrink with the page, their letters and marks with them: greater ones where it is narrow, some in the margin. Lines do not.
const style = `
svg { width: 100%; overflow: visible; } text { font: 12px system-ui, sans-serif; fill: #59636e; }
polyline { vector-effect: non-scaling-stroke; }
@media (max-width: 40rem) { text { font-size: 20px; } circle { r: 5px; } svg { margin-bottom: 0.5rem; } }
`;

/** Points of a line: more cannot be told apart on a page. */
const mostPoints = 1000;
/** Marks beyond would hide the line. */
const mostMarks = 100;
const [width, height, left, bottom, top] = [860, 280, 64, 36, 12];

export function reportPage(
  { title, steps }: { title: string; steps: number },
  lines: readonly MetricsLine[],
): string {
  const series = (
    name: string,
    colour: string,
    of: (line: MetricsLine) => number | undefined,
  ): Series => ({
    name,
    colour,
    isMarked: name === 'evaluation',
    points: lines.flatMap((line): [number, number][] => {
      const value = of(line);
      return value === undefined || !Number.isFinite(value) ? [] : [[line.step, value]];
    }),
  });
  const loss = series('loss', '#1f6feb', (line) => line.loss);
  const judged = series('evaluation', '#d1242f', (line) => line.evaluation?.loss);
  const right = series('evaluation', '#d1242f', (line) => line.evaluation?.accuracy);
  const plots: [string, Series[]][] = [
    ['Loss', [loss, judged]],
    ['Share answered right', [right]],
    ['Gradient norm', [series('norm', '#8250df', (line) => line.gradNorm)]],
    ['Learning rate', [series('rate', '#1a7f37', (line) => line.learningRate)]],
    ['Tokens a second', [series('tokens', '#9a6700', (line) => line.tokensPerSecond)]],
  ];
  const last = lines.at(-1)?.step ?? 0;
  const facts: [string, string][] = [
    ['steps', `${last} of ${steps}`],
    ['last loss', figure(loss.points.at(-1)?.[1])],
    ['lowest evaluation loss', figure(judged.points.map(([, y]) => y).sort((a, b) => a - b)[0])],
  ];
  const most = right.points.map(([, y]) => y).sort((a, b) => b - a)[0];
  if (most !== undefined) facts.push(['most answered right', `${figure(100 * most)} %`]);
  const test = lines.find((line) => line.test)?.test;
  if (test) facts.push(['test loss', figure(test.loss)]);
  if (test?.accuracy !== undefined) {
    facts.push(['test answered right', `${figure(100 * test.accuracy)} %`]);
  }
  const body = plots
    .filter(([, all]) => all.some(({ points }) => points.length > 0))
    .map(
      ([name, all]) =>
        `<h2>${name}</h2>\n${plot(
          name,
          all.filter(({ points }) => points.length > 0),
        )}`,
    )
    .join('\n');
  const values = facts.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`);
  return htmlPage({ title, style, body: `<dl>${values.join('')}</dl>\n${body}` });
}

function plot(name: string, all: readonly Series[]): string {
  const points = all.flatMap((one) => one.points);
  const xs = rangeOf([0, ...points.map(([x]) => x)]);
  const values = points.map(([, y]) => y);
  // Most quantities mean more beside nought; a loss is read closely.
  const close = rangeOf(name === 'Loss' ? values : [0, ...values]);
  const ys = widened(close, stepIn(close));
  const px = (x: number): number => left + ((x - xs.from) / xs.span) * (width - left - 12);
  const py = (y: number): number =>
    height - bottom - ((y - ys.from) / ys.span) * (height - bottom - top);
  const grid = ticks(ys, stepIn(close)).map(
    (y) =>
      `<line x1="${left}" x2="${width - 12}" y1="${fixed(py(y))}" y2="${fixed(py(y))}" stroke="#d1d9e0"/>` +
      `<text x="${left - 8}" y="${fixed(py(y))}" dy="0.35em" text-anchor="end">${figure(y)}</text>`,
  );
  // In heights of letters below the axis, so that they keep clear of its own label at any size.
  const below = `y="${height - bottom}" dy="1.6em"`;
  const feet = ticks(xs, stepIn(xs)).map(
    (x) => `<text x="${fixed(px(x))}" ${below} text-anchor="middle">${figure(x)}</text>`,
  );
  const lines = all.map(({ colour, isMarked, points: own }) => {
    const shown = thinned(own);
    const path = shown.map(([x, y]) => `${fixed(px(x))},${fixed(py(y))}`).join(' ');
    const marks = shown.map(
      ([x, y]) => `<circle cx="${fixed(px(x))}" cy="${fixed(py(y))}" r="3" fill="${colour}"/>`,
    );
    const line = `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.6"/>`;
    const hasMarks = own.length === 1 || (isMarked && own.length <= mostMarks);
    return [line, ...(hasMarks ? marks : [])].join('');
  });
  const keys =
    all.length < 2
      ? []
      : all.map(
          ({ name: key, colour }, i) =>
            `<text x="${width - 20}" y="${top + 14}" dy="${1.35 * i}em" text-anchor="end" style="fill:${colour}">${key}</text>`,
        );
  const foot = `<text x="${left - 14}" ${below} text-anchor="end">step</text>`;
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${name} by step">
${[...grid, ...feet, foot, ...lines, ...keys].join('\n')}
</svg>`;
}

interface Range {
  readonly from: number;
  readonly span: number;
}

function rangeOf(values: readonly number[]): Range {
  const from = values.reduce((least, value) => Math.min(least, value), Infinity);
  const to = values.reduce((most, value) => Math.max(most, value), -Infinity);
  return { from, span: to - from || Math.abs(from) || 1 };
}

/** A distance of ticks, about five in a range: 1, 2 or 5 times a power of ten. */
function stepIn({ span }: Range): number {
  const rough = span / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? rough;
}

/** Multiples of a step may differ from whole numbers by a rounding error. */
const slack = 1e-9;

/** A range widened to whole steps. */
function widened({ from, span }: Range, step: number): Range {
  const first = Math.floor(from / step + slack) * step;
  return { from: first, span: Math.ceil((from + span - first) / step - slack) * step };
}

/** Multiples of a step in a range. */
function ticks({ from, span }: Range, step: number): number[] {
  const first = Math.ceil(from / step - slack);
  const count = Math.floor((from + span) / step + slack) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => (first + i) * step);
}

/** At most so many points, each the mean of its neighbours. */
function thinned(points: Series['points']): Series['points'] {
  if (points.length <= mostPoints) return points;
  return Array.from({ length: mostPoints }, (_, i) => {
    const part = points.slice(
      Math.floor((i * points.length) / mostPoints),
      Math.floor(((i + 1) * points.length) / mostPoints),
    );
    const mean = (of: 0 | 1): number =>
      part.reduce((sum, point) => sum + point[of], 0) / part.length;
    return [mean(0), mean(1)] as const;
  });
}

const fixed = (value: number): string => value.toFixed(1);
const figure = (value: number | undefined): string =>
  value === undefined ? '–' : String(Number(value.toPrecision(4)));
