/** What a training run shows on a terminal: a bar, and a plot of the loss above it. */
const plotWidth = 60;
const plotHeight = 8;
/** What stands to the left of a plot's dots. */
const marginWidth = 10;
const barWidth = 30;
/** Times a second that it is drawn. */
const framesPerSecond = 10;

export interface DisplayedStep {
  readonly step: number;
  readonly loss: number;
  readonly tokensPerSecond: number;
}

export class TrainingDisplay {
  private readonly losses: { step: number; loss: number }[] = [];
  private picture: readonly string[] = [];
  private drawn = 0;
  private lastFrame = 0;
  private first = 0;
  private begun = performance.now();

  constructor(
    private readonly steps: number,
    private readonly output: Pick<
      NodeJS.WriteStream,
      'write' | 'isTTY' | 'columns'
    > = process.stderr,
  ) {}

  /** @param step where the run goes on from. */
  begin(step: number): void {
    this.first = step;
    this.begun = performance.now();
  }

  update({ step, loss, tokensPerSecond }: DisplayedStep): void {
    this.losses.push({ step, loss });
    if (!this.output.isTTY) return;
    const now = performance.now();
    if (step < this.steps && now - this.lastFrame < 1000 / framesPerSecond) return;
    this.lastFrame = now;
    const rate = (step - this.first) / (now - this.begun);
    const left = formatSeconds((this.steps - step) / rate / 1000);
    const text = ` ${step}/${this.steps}  loss ${loss.toFixed(4)}  ${tokensPerSecond} tokens/s  ${left} left`;
    // A terminal wraps what fills its last column.
    const columns = (this.output.columns ?? 80) - 1;
    const width = Math.max(0, Math.min(barWidth, columns - text.length));
    const filled = Math.round((width * step) / this.steps);
    const bar = '█'.repeat(filled) + '░'.repeat(width - filled);
    const plot = plotLines(this.losses, Math.min(plotWidth, columns - marginWidth), plotHeight);
    this.clear();
    this.picture = [...plot, bar + text].map((line) => line.slice(0, columns));
    this.draw();
  }

  /** A line that stays, above what is drawn. */
  say(line: string): void {
    this.clear();
    this.output.write(`${line}\n`);
    this.draw();
  }

  /** Leaves the last plot standing. */
  end(): void {
    this.drawn = 0;
  }

  private draw(): void {
    for (const line of this.picture) this.output.write(`${line}\n`);
    this.drawn = this.picture.length;
  }

  private clear(): void {
    if (this.drawn > 0 && this.output.isTTY) this.output.write(`\x1b[${this.drawn}A\x1b[J`);
    this.drawn = 0;
  }
}

/** The loss over steps in dots of Braille, two by four to a character; each column the mean of its steps. */
export function plotLines(
  points: readonly { step: number; loss: number }[],
  width: number,
  height: number,
): string[] {
  const finite = points.filter(({ loss }) => Number.isFinite(loss));
  if (finite.length < 2 || width < 1) return [];
  const columns = Math.min(2 * width, finite.length);
  const means = Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * finite.length) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * finite.length) / columns));
    const part = finite.slice(from, to);
    return part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
  });
  const most = means.reduce((a, b) => Math.max(a, b));
  const least = means.reduce((a, b) => Math.min(a, b));
  const span = most - least || 1;
  const cells = Array.from({ length: height }, () => new Uint8Array(width));
  means.forEach((mean, column) => {
    const x = columns === 2 * width ? column : Math.floor((column * 2 * width) / columns);
    const y = Math.round(((most - mean) / span) * (4 * height - 1));
    const row = cells[Math.floor(y / 4)] as Uint8Array;
    row[Math.floor(x / 2)] = (row[Math.floor(x / 2)] ?? 0) | dot(x % 2, y % 4);
  });
  return cells.map((row, i) => {
    const label = i === 0 ? most : i === height - 1 ? least : undefined;
    const margin = (label === undefined ? '' : label.toPrecision(4)).padStart(8);
    return `${margin} ┤${Array.from(row, (cell) => String.fromCharCode(0x2800 + cell)).join('')}`;
  });
}

/** The bit of a dot in a Braille character (Unicode 2800 and on). */
const dot = (x: number, y: number): number =>
  y === 3 ? (x === 0 ? 0x40 : 0x80) : 1 << (y + 3 * x);

export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number): string => String(n).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
