/** The page of `heddle inspect --attention`: every head small, one of them large. */
import { deflateRawSync } from 'node:zlib';
import type { EntropyUnit, HeadStatistics } from '../attention_statistics.js';
import script from './attention.page.js?raw';
import { tokenPage } from './token_page.js';

export interface AttentionPage {
  readonly title: string;
  /** `continues`: no space stands before it. */
  readonly tokens: readonly { readonly text: string; readonly continues: boolean }[];
  /** Tokens that the text has, those that were not read among them. */
  readonly length: number;
  readonly unit: EntropyUnit;
  /** No token sees those after it. */
  readonly causal: boolean;
  readonly layers: readonly {
    readonly layer: number;
    readonly heads: readonly HeadStatistics[];
    /** [heads, n, n]. */
    readonly weights: Float32Array;
  }[];
}

/** Base64 characters that maps may take, so that the page stays under 1 MB. */
const budget = 900_000;

/** Steps from 0 to 1 of the square root of a weight: where maps are large, few take less room. */
const precisions = [15, 31, 63, 255] as const;

/** The most tokens that can still be told apart. */
const mostTokens = 256;

export function attentionPage(page: AttentionPage): string {
  const { title, tokens, length, unit, causal, layers } = page;
  const { shown, steps, packed } = fitted(page);
  const data = {
    tokens: tokens.slice(0, shown).map(({ text, continues }) => [text, Number(continues)]),
    unit,
    causal,
    steps,
    packed,
    layers: layers.map(({ layer, heads }) => ({
      layer,
      heads: heads.map(({ entropy, distance, first, self, previous }) =>
        [entropy, distance, first, self, previous].map((value) => Number(value.toPrecision(5))),
      ),
    })),
  };
  return tokenPage({
    title,
    length,
    read: tokens.length,
    shown,
    cut: `Maps and links show the first ${shown} of ${tokens.length} tokens, for the page's size (fewer --layers leave room for more); all figures are of all tokens.`,
    style,
    body,
    data,
    script,
  });
}

/** The maps of as many tokens as there is room for, and then in as many steps. */
function fitted({ layers, tokens }: AttentionPage): {
  shown: number;
  steps: number;
  packed: string;
} {
  const pack = (shown: number, steps: number): string =>
    packedMaps(layers, tokens.length, shown, steps);
  const [coarsest, ...finer] = precisions;
  let shown = Math.min(tokens.length, mostTokens);
  let best: { steps: number; packed: string } = { steps: coarsest, packed: pack(shown, coarsest) };
  while (best.packed.length > budget && shown > 1) {
    shown = Math.floor(0.98 * shown * Math.sqrt(budget / best.packed.length));
    best = { steps: coarsest, packed: pack(shown, coarsest) };
  }
  for (const steps of finer) {
    const packed = pack(shown, steps);
    if (packed.length > budget) break;
    best = { steps, packed };
  }
  return { shown, ...best };
}

/**
 * The first `shown` rows and columns of every map, a byte each, compressed, in base64. Column by column, in which neighbours are
 * more alike: many heads look at a few tokens from everywhere.
 */
function packedMaps(
  layers: AttentionPage['layers'],
  n: number,
  shown: number,
  steps: number,
): string {
  const maps = layers.reduce((sum, { heads }) => sum + heads.length, 0);
  const bytes = new Uint8Array(maps * shown * shown);
  let at = 0;
  for (const { weights, heads } of layers) {
    for (let head = 0; head < heads.length; head++) {
      for (let key = 0; key < shown; key++) {
        for (let query = 0; query < shown; query++) {
          const weight = weights[(head * n + query) * n + key];
          bytes[at++] = Math.round(steps * Math.sqrt(Math.min(1, weight)));
        }
      }
    }
  }
  return deflateRawSync(bytes).toString('base64');
}

const body = `
<p class="lead">Each small map is a head: a row for each token that looks, a column for each that it looks at, darker where the weight
is greater. Choose one to see it large; the arrow keys go from head to head and, among the tokens, from token to token.</p>
<main>
<section id="heads" aria-label="Heads">
<div class="bar">
<label>Figure <select id="measure"></select></label>
<label>Order <select id="order"><option value="place">layer and head</option><option value="up">lowest first</option><option value="down">highest first</option></select></label>
</div>
<div id="grid" role="group" aria-label="Heads, by layer"></div>
</section>
<section id="head" aria-label="The chosen head">
<h2 id="name"></h2>
<dl id="figures"></dl>
<div class="bar">
<fieldset id="direction"><legend>Links of a token</legend>
<label><input type="radio" name="direction" value="from" checked> what it attends to</label>
<label><input type="radio" name="direction" value="to"> what attends to it</label></fieldset>
<span class="legend"><span>0</span><i></i><span>1</span></span>
</div>
<div id="flow" role="group" aria-label="Tokens; hover, or move with the arrow keys; a click holds one"><svg aria-hidden="true"></svg></div>
<p id="said" aria-live="polite"></p>
<figure><canvas id="large" role="img"></canvas><figcaption id="under"></figcaption></figure>
</section>
</main>
<noscript><p class="notice">The maps are drawn by the page's script, which is switched off here.</p></noscript>`;

const style = `
main { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-start; }
#heads { flex: 0 1 auto; max-width: 100%; min-width: 0; }
#head { flex: 1 1 26rem; min-width: 0; position: sticky; top: .5rem; }
#head h2 { margin-top: 0; }
#grid { display: grid; gap: 3px; overflow-x: auto; padding: 3px; width: max-content; max-width: 100%; box-sizing: border-box; }
#grid .row, #grid .column { font-size: .7rem; color: #59636e; text-align: center; align-self: center; font-variant-numeric: tabular-nums; }
#grid button { font: .62rem/1.25 system-ui, sans-serif; font-variant-numeric: tabular-nums; color: #59636e; background: none; border: 0; padding: 0; cursor: pointer; display: block; }
#grid canvas { display: block; width: var(--cell); height: var(--cell); image-rendering: pixelated; outline: 1px solid #d8dee4; outline-offset: -1px; }
#grid button:hover canvas { outline: 2px solid #0b6e4f; }
#grid button[aria-pressed=true] { color: #1f2328; font-weight: 600; }
#grid button[aria-pressed=true] canvas { outline: 3px solid #d55e00; }
#grid button:focus-visible { outline: 2px solid #0072b2; outline-offset: 2px; }
#figures { margin: .2rem 0 .8rem; } #figures dt { font-size: .8rem; }
#figures div { min-width: 5rem; }
.legend { display: inline-flex; align-items: center; gap: .4rem; font-size: .8rem; color: #59636e; }
.legend i { display: inline-block; width: 6rem; height: .8rem; border: 1px solid #d8dee4; background: linear-gradient(to right, #fff, #cfe8dc, #5fb08f, #0b6e4f, #04281d); }
figure { margin: 1rem 0 0; } canvas#large { max-width: 100%; display: block; cursor: crosshair; touch-action: manipulation; }
figcaption { font-size: .85rem; color: #59636e; min-height: 1.5em; }
@media (max-width: 60rem) { #head { position: static; flex-basis: 100%; } }
`;
