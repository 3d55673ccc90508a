import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CAC } from 'cac';
import { particleFrame } from '../analysis/pages/particle_frames.js';
import { ParticleFilm, particlesPage } from '../analysis/pages/particles_page.js';
import type { ParticleOptions } from '../analysis/particles/options.js';
import { type ParticleRun, particles } from '../analysis/particles/particles.js';
import { HeddleError } from '../errors.js';
import { interruptible } from './model_options.js';
import { checkTarget, writeNamedFile } from './named_file.js';
import { note, ProgressBar, printJson, printLine, table } from './output.js';
import { runPlot } from './particles_plot.js';
import { writePlot } from './plot_svg.js';

/** In one JSON document: more would be a string that no program likes to read. */
const mostPositions = 5_000_000;

export function registerParticles(cli: CAC): void {
  cli
    .command('particles', 'Tokens as interacting particles on a sphere; see docs/particles.md')
    .option('--n <count>', 'How many')
    .option('--d <size>', 'They are on the sphere of so many coordinates')
    .option('--beta <number>', 'Inverse temperature')
    .option('--time <number>', 'How long they are followed')
    .option('--dynamics <name>', 'sa: self-attention; usa: unnormalised (default: sa)')
    .option('--init <start>', 'uniform, orthogonal, or a JSON file of n points (default: uniform)')
    .option('--seed <number>', 'Of starts and random matrices (default: 0)')
    .option('--query <matrix>', 'Q: a factor of the identity, random, or a JSON file (default: 1)')
    .option('--key <matrix>', 'K, likewise')
    .option('--value <matrix>', 'V, likewise')
    .option('--tolerance <number>', 'Local error of a particle in one step (default: 1e-6)')
    .option('--samples <count>', 'Times that are measured (default: 101)')
    .option('--threshold <number>', 'Distance within a cluster (default: 0.01)')
    .option('--html <file>', 'Write an animation, for d = 2 and 3')
    .option('--frames <folder>', 'Write a picture of each time measured, for d = 2 and 3')
    .option('--plot <file>', 'Write a picture of the clusters, inner products and energy over time')
    .option('--positions', 'With --json: "positions" too, [time][particle][coordinate]')
    .option(
      '--json',
      'One JSON document: {"times", "meanInnerProduct", "energy", "clusters", "plateaus", …}',
    )
    .example('heddle particles --n 64 --d 3 --beta 4 --time 30 --html particles.html')
    .action((options: Record<string, unknown>) =>
      interruptible((signal) => runParticles(options, signal)),
    );
}

async function runParticles(given: Record<string, unknown>, signal: AbortSignal): Promise<void> {
  const { html, frames, plot, json, positions: wantsPositions } = given;
  const options = await particleOptions(given);
  const { n, d, beta, time, dynamics = 'sa', samples = 101 } = options;
  if (json && wantsPositions && n * d * samples > mostPositions) {
    const found = `${n} × ${d} × ${samples}`;
    throw new HeddleError(
      'ERR_ARGUMENT',
      `--positions: expected at most ${mostPositions} numbers, found ${found}`,
    );
  }
  const film = html || frames ? new ParticleFilm(n, d, samples) : undefined;
  if (html) await checkTarget('html', String(html));
  if (frames) await checkTarget('frames', String(frames), 'folder');
  if (plot) await checkTarget('plot', String(plot));
  const positions: number[][][] = [];
  const bar = new ProgressBar('particles');
  let run: ParticleRun;
  try {
    bar.update(0, 1);
    run = await particles({
      ...options,
      signal,
      onProgress: ({ time: reached, total }) => bar.update(reached, total),
      onSample(sample) {
        film?.add(sample);
        if (json && wantsPositions) positions.push(rows(sample.positions, d));
      },
    });
  } finally {
    bar.end();
  }
  const description = `${dynamics.toUpperCase()} dynamics of ${n} particles, d = ${d}, β = ${beta}`;
  if (html && film) {
    await writeNamedFile('html', String(html), particlesPage(film, description));
  }
  if (frames && film) await writeFrames(String(frames), film);
  if (plot) await writePlot(String(plot), runPlot(run, description));
  if (json) {
    const { positions: _, ...measured } = run;
    // What JSON has no number for, an energy beyond float64, is null.
    printJson({
      n,
      d,
      beta,
      time,
      dynamics,
      ...measured,
      ...(wantsPositions ? { positions } : {}),
    });
    return;
  }
  printRun(run);
}

async function particleOptions(given: Record<string, unknown>): Promise<ParticleOptions> {
  const { n, d, beta, time, dynamics, seed, tolerance, samples, threshold } = given;
  const named = {
    ...{ dynamics, seed, tolerance, samples, clusterThreshold: threshold },
    init: await wordOrFile('init', given.init, ['uniform', 'orthogonal']),
    query: await wordOrFile('query', given.query, ['random']),
    key: await wordOrFile('key', given.key, ['random']),
    value: await wordOrFile('value', given.value, ['random']),
  };
  const present = Object.entries(named).filter(([, value]) => value !== undefined);
  return { n, d, beta, time, ...Object.fromEntries(present) } as ParticleOptions;
}

/** A number and the words as they are; anything else names a JSON file. */
async function wordOrFile(name: string, value: unknown, words: string[]): Promise<unknown> {
  if (typeof value !== 'string' || words.includes(value)) return value;
  let text: string;
  try {
    text = await readFile(value, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const expected = `${words.join(', ')}${name === 'init' ? '' : ', a number'} or a JSON file`;
    const message = `--${name}: expected ${expected}, found '${value}', which cannot be read (${code})`;
    throw new HeddleError('ERR_ARGUMENT', message, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new HeddleError('ERR_FORMAT', `--${name}: ${value} is not JSON (${reason})`, { cause });
  }
}

const rows = (x: Float64Array, d: number): number[][] =>
  Array.from({ length: x.length / d }, (_, i) => [...x.subarray(i * d, (i + 1) * d)]);

async function writeFrames(folder: string, film: ParticleFilm): Promise<void> {
  const digits = String(film.times.length - 1).length;
  for (const i of film.times.keys()) {
    const name = `frame-${String(i).padStart(digits, '0')}.svg`;
    await writeNamedFile('frames', join(folder, name), particleFrame(film, i));
  }
}

function printRun(run: ParticleRun): void {
  const { times, clusters, meanInnerProduct, energy, plateaus } = run;
  const last = times.length - 1;
  const intervals = Math.max(1, Math.min(20, last));
  const shown = Array.from({ length: Math.min(21, times.length) }, (_, i) =>
    Math.round((i * last) / intervals),
  );
  const lines = shown.map((i) => [
    (times[i] as number).toPrecision(4),
    String(clusters[i]),
    (meanInnerProduct[i] as number).toFixed(5),
    (energy[i] as number).toPrecision(7),
  ]);
  printLine(table([['time', 'clusters', 'mean inner product', 'energy'], ...lines], [0, 1, 2, 3]));
  for (const { clusters: count, from, to } of plateaus) {
    const what = `${count} ${count === 1 ? 'cluster' : 'clusters'}`;
    printLine(`${what} from ${from.toPrecision(4)} to ${to.toPrecision(4)}`);
  }
  const { steps, rejected, evaluations, tolerance } = run;
  const taken = `${steps} ${steps === 1 ? 'step' : 'steps'}, ${rejected} rejected`;
  note(`${taken}, ${evaluations} evaluations, tolerance ${tolerance}`);
}
