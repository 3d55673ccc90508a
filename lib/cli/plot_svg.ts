/** Pictures: Vega-Lite specifications drawn as SVG, in the style of the documentation's. */
import type { TopLevelSpec } from 'vega-lite';
import { writeNamedFile } from './named_file.js';
import style from './plot_style.json' with { type: 'json' };

/**
 * @param specification its `config` goes over the style's, key by key
 * @returns the picture as SVG, which names no font file and loads nothing
 */
export async function plotSvg(specification: TopLevelSpec): Promise<string> {
  // Both are bundled with the command, and cost 200 ms to load: not for those who draw nothing.
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const whole = {
    ...style,
    ...specification,
    config: { ...style.config, ...specification.config },
  } as TopLevelSpec;
  const view = new vega.View(vega.parse(compile(whole).spec), { renderer: 'none' });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}

/** Writes the picture of a specification to the file that `--plot` names; folders on the way to it are made. */
export async function writePlot(file: string, specification: TopLevelSpec): Promise<void> {
  await writeNamedFile('plot', file, await plotSvg(specification));
}
