/** Self-contained HTML pages: nothing is fetched, so that they open from a folder, an e-mail or an archive. */

export interface HtmlPage {
  readonly title: string;
  /** Of the page alone; comes after the house's own. */
  readonly style?: string;
  /** Markup as it stands: what is not the program's own goes through `escapeHtml` first. */
  readonly body: string;
  /** Handed to `script` as the constant `data`. */
  readonly data?: unknown;
  /** A classic script, run after the body is parsed. */
  readonly script?: string;
}

const houseStyle = `
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1f2328; background: #fff; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .3rem; }
dl { display: flex; flex-wrap: wrap; gap: .3rem 2rem; } dt { color: #59636e; } dd { margin: 0; font-variant-numeric: tabular-nums; }
svg { max-width: 100%; height: auto; }
`;

// The page may run nothing but its own script and load nothing at all, whatever its data say.
const policy =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

export function htmlPage({ title, style = '', body, data, script }: HtmlPage): string {
  const scripts =
    script === undefined
      ? ''
      : `<script>\n'use strict';\n{\nconst data = ${embeddedJson(data)};\n${script}\n}\n</script>\n`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title>
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>${houseStyle}${style}</style></head><body>
<h1>${escapeHtml(title)}</h1>
${body}
${scripts}</body></html>
`;
}

/** Text for a place in markup or in an attribute's quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** JSON that no script element ends early on: `<` stands nowhere outside a string. */
function embeddedJson(value: unknown): string {
  return (JSON.stringify(value) ?? 'undefined').replace(/</g, '\\u003c');
}
