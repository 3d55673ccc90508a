/** An animation of particles on the circle or the sphere, as one page. */
import { HeddleError } from '../../errors.js';
import type { ParticleSample } from '../particles/options.js';
import { escapeHtml, htmlPage } from './html_page.js';
import script from './particles.page.js?raw';

/** Characters of data in a page, so that the whole stays below a megabyte, and what the figures of a sample take of them. */
const mostCharacters = 900_000;
const charactersOfFigures = 60;

const style = `
canvas { display: block; width: min(100%, 34rem); aspect-ratio: 1; margin: 0 auto; }
canvas[tabindex] { cursor: grab; touch-action: pan-y; }
canvas:focus-visible { outline: 2px solid #0072b2; outline-offset: -2px; }
.controls { display: flex; gap: .8rem; align-items: center; max-width: 34rem; margin: 0 auto; }
.controls input { flex: 1; } .controls button { width: 5rem; }
.note { color: #59636e; }
`;

/**
 * What an animation needs of a run, gathered sample by sample: evenly chosen particles, as many as fit into a page, at 16 bits
 * a coordinate, so that a run of any size takes no more memory than this.
 */
export class ParticleFilm {
  readonly times: number[] = [];
  readonly meanInnerProduct: number[] = [];
  readonly energy: (number | null)[] = [];
  readonly clusters: number[] = [];
  /** Particles that are shown. */
  readonly shown: number;
  private readonly words: Uint16Array;

  /** @param d 2 or 3. @param samples how often `add` will be called, at most. */
  constructor(
    readonly n: number,
    readonly d: number,
    samples: number,
  ) {
    if (d !== 2 && d !== 3) {
      const found = `d = ${d}`;
      throw new HeddleError('ERR_ARGUMENT', `animations are of d = 2 and d = 3, found ${found}`);
    }
    const charactersEach = ((d - 1) * 2 * 4) / 3;
    this.shown = Math.min(
      n,
      Math.floor((mostCharacters / samples - charactersOfFigures) / charactersEach),
    );
    if (this.shown < 1) {
      const most = Math.floor(mostCharacters / (charactersOfFigures + charactersEach));
      const message = `animations have room for ${most} samples, found ${samples}`;
      throw new HeddleError('ERR_ARGUMENT', message);
    }
    this.words = new Uint16Array(samples * this.shown * (d - 1));
  }

  add({ time, meanInnerProduct, energy, clusters, positions }: ParticleSample): void {
    const at = this.times.length * this.shown;
    for (let i = 0; i < this.shown; i++) {
      const from = Math.floor((i * this.n) / this.shown) * this.d;
      const [x, y, z = 0] = positions.subarray(from, from + this.d);
      const turn = Math.atan2(y ?? 0, x ?? 0) / (2 * Math.PI);
      const word = (at + i) * (this.d - 1);
      this.words[word] = Math.round((turn + 1) * 65536) % 65536;
      if (this.d === 3) this.words[word + 1] = Math.round(((z + 1) / 2) * 65535);
    }
    this.times.push(time);
    this.meanInnerProduct.push(meanInnerProduct);
    this.energy.push(Number.isFinite(energy) ? energy : null);
    this.clusters.push(clusters);
  }

  /** The i-th shown particle at a sample, as `add` was given it but for rounding: [x, y, z]. */
  position(sample: number, i: number): [number, number, number] {
    const word = (sample * this.shown + i) * (this.d - 1);
    const azimuth = ((this.words[word] as number) / 65536) * 2 * Math.PI;
    const height = this.d === 3 ? ((this.words[word + 1] as number) / 65535) * 2 - 1 : 0;
    const radius = Math.sqrt(Math.max(0, 1 - height * height));
    return [radius * Math.cos(azimuth), radius * Math.sin(azimuth), height];
  }

  /** Base64 of little-endian words. */
  encoded(): string {
    const used = this.words.subarray(0, this.times.length * this.shown * (this.d - 1));
    const bytes = Buffer.alloc(used.length * 2);
    used.forEach((word, i) => {
      bytes.writeUInt16LE(word, 2 * i);
    });
    return bytes.toString('base64');
  }
}

/** @param description of the run, in a few words. @returns HTML of less than a megabyte. */
export function particlesPage(film: ParticleFilm, description: string): string {
  const { n, d, shown, times, meanInnerProduct, energy, clusters } = film;
  const some = shown < n ? ` ${shown} of ${n} particles are drawn.` : '';
  const hint =
    d === 3
      ? ' Drag to turn the sphere, or choose it (Tab) and press the arrow keys; elsewhere the left and right ones go through time.'
      : '';
  const attributes =
    d === 3
      ? 'role="application" tabindex="0" aria-label="Particles on the sphere; the arrow keys turn it"'
      : 'role="img" aria-label="Particles on the circle"';
  const body = `<p>${escapeHtml(description)}</p>
<canvas ${attributes}></canvas>
<div class="controls"><button type="button">Play</button><input type="range" min="0" step="any" value="0" aria-label="time"></div>
<dl><div><dt>time</dt><dd id="time"></dd></div><div><dt>clusters</dt><dd id="clusters"></dd></div>
<div><dt>mean inner product</dt><dd id="inner"></dd></div><div><dt>energy</dt><dd id="energy"></dd></div></dl>
<p class="note">Colours are those of the directions in which particles started.${some}${hint}</p>`;
  const rounded = (values: readonly (number | null)[]): (number | null)[] =>
    values.map((value) => value && Number(value.toPrecision(7)));
  return htmlPage({
    title: 'Tokens as interacting particles',
    style,
    body,
    data: {
      d,
      shown,
      times: rounded(times),
      meanInnerProduct: rounded(meanInnerProduct),
      energy: rounded(energy),
      clusters,
      positions: film.encoded(),
    },
    script,
  });
}
