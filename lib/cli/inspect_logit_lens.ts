import { logitLensPage } from '../analysis/pages/logit_lens_page.js';
import { type LogitLens, logitLens } from '../tasks/logit_lens.js';
import type { Model } from '../tasks/model.js';
import { cellOf, noteRead, readingOptions, shade, writePage } from './inspect_options.js';
import { count, printJson, printLine, table } from './output.js';

/** Positions in the terminal: as many as there is room for. */
const positionsShown = 7;

export async function inspectLogitLens(
  model: Model,
  text: string,
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const topK = count('top-k', options.topK);
  const found = await logitLens(model, text, {
    ...readingOptions(options, signal),
    ...(topK === undefined ? {} : { topK }),
  });
  noteRead(found);
  if (options.html !== undefined) {
    const title = `Logit lens of ${model.architecture} in “${cellOf(text, 60)}”`;
    await writePage(String(options.html), logitLensPage({ ...found, title }));
  }
  if (options.json) printJson({ architecture: model.architecture, ...found });
  else print(found);
}

function print({ tokens, layers }: LogitLens): void {
  const first = Math.max(0, tokens.length - positionsShown);
  printLine(
    `what each layer would predict to follow the ${first > 0 ? `last ${positionsShown} ` : ''}tokens (layer 0: the embeddings): the likeliest token, its probability`,
  );
  const header = ['', ...tokens.slice(first).map(({ text }) => `…${cellOf(text)}`)];
  const rows = [...layers].reverse().map(({ layer, positions }) => [
    `layer ${layer}`,
    ...positions.slice(first).map(({ top: [best] }) => {
      const { text = '', probability = 0 } = best ?? {};
      return `${shade(probability)} ${cellOf(text)} ${probability.toFixed(2)}`;
    }),
  ]);
  printLine(table([header, ...rows]));
}
