/** The page of `heddle inspect --logit-lens`: a table of predictions, layers by positions. */

import script from './logit_lens.page.js?raw';
import { tokenPage } from './token_page.js';

export interface LogitLensPage {
  readonly title: string;
  readonly tokens: readonly { readonly text: string }[];
  /** Tokens that the text has, those that were not read among them. */
  readonly length: number;
  readonly vocabSize: number;
  readonly layers: readonly {
    readonly layer: number;
    readonly positions: readonly {
      readonly top: readonly { readonly text: string; readonly probability: number }[];
      readonly entropy: number;
    }[];
  }[];
}

/** Characters of the data, so that the page stays under 1 MB whatever it is of. */
const budget = 900_000;

export function logitLensPage(page: LogitLensPage): string {
  const { title, tokens, length } = page;
  let shown = tokens.length;
  let data = dataOf(page, shown);
  // Bytes, of which a character outside ASCII takes up to four.
  while (shown > 1 && Buffer.byteLength(JSON.stringify(data)) > budget) {
    shown = Math.ceil(0.8 * shown);
    data = dataOf(page, shown);
  }
  return tokenPage({
    title,
    length,
    read: tokens.length,
    shown,
    cut: `The table shows the first ${shown} of ${tokens.length} tokens, for the page's size.`,
    style,
    body,
    data,
    script,
  });
}

/** Tokens are told once, and numbered where they are predicted. */
function dataOf({ tokens, layers, vocabSize }: LogitLensPage, shown: number): unknown {
  const words: string[] = [];
  const numbers = new Map<string, number>();
  const numberOf = (text: string): number => {
    const known = numbers.get(text);
    if (known !== undefined) return known;
    numbers.set(text, words.length);
    return words.push(text) - 1;
  };
  const predictions = layers.map(({ layer, positions }) => ({
    layer,
    positions: positions
      .slice(0, shown)
      .map(({ top, entropy }) => [
        Number(entropy.toPrecision(3)),
        ...top.flatMap(({ text, probability }) => [
          numberOf(text),
          Number(probability.toPrecision(3)),
        ]),
      ]),
  }));
  return {
    tokens: tokens.slice(0, shown).map(({ text }) => text),
    words,
    layers: predictions,
    mostEntropy: Math.log(vocabSize),
  };
}

const body = `
<p class="lead">The model's last norm and its output projection, put on what each layer gives: the token that a layer would predict
next if it were the last. Underlined: the same as the model's own prediction, which is the top row; row 0 is the embeddings.</p>
<div class="bar">
<label>Colour <select id="measure"><option value="probability">probability of the token</option><option value="entropy">certainty (low entropy)</option></select></label>
<span class="legend"><span id="low">0</span><i></i><span id="high">1</span></span>
</div>
<div id="scroll"><table id="lens"><thead></thead><tbody></tbody></table></div>
<section id="detail" aria-live="polite"><h2 id="name"></h2><p id="entropy"></p><ol id="top"></ol></section>
<noscript><p class="notice">The table is made by the page's script, which is switched off here.</p></noscript>`;

const style = `
.legend { display: inline-flex; align-items: center; gap: .4rem; font-size: .8rem; color: #59636e; }
.legend i { display: inline-block; width: 6rem; height: .8rem; border: 1px solid #d8dee4; background: linear-gradient(to right, #fff, #cfe8dc, #5fb08f, #0b6e4f, #04281d); }
#scroll { overflow: auto; max-height: 75vh; border: 1px solid #d8dee4; }
#lens { border-collapse: separate; border-spacing: 1px; font-size: .8rem; }
#lens th { background: #fff; position: sticky; z-index: 1; font-weight: 600; padding: 2px 6px; white-space: nowrap; }
#lens thead th { top: 0; box-shadow: 0 1px #d8dee4; } #lens tbody th { left: 0; color: #59636e; font-weight: 400; }
#lens thead th:first-child { left: 0; z-index: 2; color: #59636e; font-weight: 400; }
#lens td { padding: 2px 6px; min-width: 3.4rem; max-width: 7rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; cursor: pointer; text-align: center; }
#lens td:focus { outline: none; }
#lens td.chosen { box-shadow: inset 0 0 0 3px #d55e00; }
#lens td.same { text-decoration: underline; text-underline-offset: 2px; }
#detail { min-height: 13rem; } #top { list-style: none; padding: 0; margin: 0; max-width: 34rem; }
#top li { display: grid; grid-template-columns: 9rem 4rem 1fr; gap: .6rem; align-items: center; font-variant-numeric: tabular-nums; }
#top code { white-space: pre; overflow: hidden; text-overflow: ellipsis; }
#top i { display: block; height: .8rem; background: #0b6e4f; min-width: 1px; }
#entropy { margin: 0 0 .4rem; color: #59636e; }
`;
