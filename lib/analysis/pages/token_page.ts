/** The frame of pages about a text's tokens. */
import drawing from './drawing.page.js?raw';
import { escapeHtml, htmlPage } from './html_page.js';

/** How pages that show a text token by token look. */
const tokenStyle = `
body { max-width: 84rem; }
.lead { max-width: 46rem; color: #424a53; }
.notice { background: #fff8e1; border-left: 4px solid #e69f00; padding: .4rem .8rem; max-width: 46rem; }
.bar { display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; align-items: center; margin: .3rem 0 .6rem; font-size: .9rem; }
select { font: inherit; } fieldset { border: 0; padding: 0; margin: 0; display: flex; flex-wrap: wrap; gap: .2rem .9rem; }
legend { float: left; padding: 0 .6rem 0 0; color: #59636e; }
#flow { position: relative; line-height: 2.1; padding: 1.4rem .2rem .4rem; }
#flow svg { position: absolute; inset: 0; width: 100%; height: 100%; max-width: none; pointer-events: none; overflow: visible; }
.token { display: inline-block; max-width: 100%; line-height: 1.5; color: inherit; background: #f6f8fa; border-radius: 4px; padding: 0 3px; margin: 0 1px 0 4px; cursor: pointer; white-space: pre-wrap; overflow-wrap: anywhere; position: relative; }
.token.continues { margin-left: 0; }
.token:focus-visible { outline: 2px solid #0072b2; }
.token.chosen { box-shadow: 0 0 0 2px #d55e00; }
#said { min-height: 3em; margin: .2rem 0; font-size: .9rem; max-width: 46rem; }
`;

export interface TokenPage {
  readonly title: string;
  /** Tokens that the text has, and those that were read of them. */
  readonly length: number;
  readonly read: number;
  /** The tokens that the page has room for; `cut` says so where they are fewer. */
  readonly shown: number;
  readonly cut: string;
  readonly style: string;
  readonly body: string;
  readonly data: unknown;
  readonly script: string;
}

/** The page, headed by what it leaves out of the text. */
export function tokenPage(page: TokenPage): string {
  const { title, length, read, shown, cut, style, body, data, script } = page;
  const cuts = [
    ...(read < length ? [`Of the text's ${length} tokens the first ${read} were read.`] : []),
    ...(shown < read ? [cut] : []),
  ];
  const notice = cuts.length > 0 ? `<p class="notice">${escapeHtml(cuts.join(' '))}</p>` : '';
  return htmlPage({
    title,
    style: tokenStyle + style,
    body: notice + body,
    data,
    script: drawing + script,
  });
}
