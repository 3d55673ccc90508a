/** Pictures of the documentation: vega-lite to SVG, in one style, on white so that they read in light and dark pages. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as vega from 'vega';
import { compile } from 'vega-lite';

const styleFile = new URL('../../lib/cli/plot_style.json', import.meta.url);
const style = JSON.parse(readFileSync(styleFile, 'utf8'));

/** One colour for each engine, in every picture; told apart without colour vision (Okabe & Ito 2008). */
const colours = {
  Heddle: '#0b6e4f',
  OpenBLAS: '#d55e00',
  BLIS: '#cc79a7',
  oneDNN: '#0072b2',
  PyTorch: '#e69f00',
  onnxruntime: '#56b4e9',
  CTranslate2: '#9a6324',
};

/** Of the engines that a picture shows, in this order. */
export function engineScale(engines) {
  const shown = Object.keys(colours).filter((name) => engines.includes(name));
  return { domain: shown, range: shown.map((name) => colours[name]) };
}

/** The engine of a row, without version and kernels. */
export const engineOf = (peerName) => /^[A-Za-z]+\d?/.exec(peerName)[0];

/** @param {{ title: string, subtitle: string | string[] }} words above the picture */
export async function draw(file, { title, subtitle }, specification) {
  const whole = {
    ...style,
    title: { text: title, subtitle },
    ...specification,
    config: { ...style.config, ...specification.config },
  };
  const view = new vega.View(vega.parse(compile(whole).spec), { renderer: 'none' });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${await view.toSVG()}\n`);
}

/** What a picture was measured on, for its subtitle. */
export function measuredOn({ cpu, isa }, threads) {
  return `${cpu}, ${isa}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}
