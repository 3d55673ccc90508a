/** Reads the project's Markdown files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Paths from the project's folder. */
export function documents(): string[] {
  const inDocs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' });
  const pages = inDocs.filter((name) => name.endsWith('.md')).map((name) => join('docs', name));
  return ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...pages.sort()];
}

export const read = (file: string): string => readFileSync(join(root, file), 'utf8');

export interface Sample {
  file: string;
  /** Of the code's first line, counted from 1. */
  line: number;
  code: string;
}

/** The blocks of TypeScript. */
export function samplesOf(file: string, text: string): Sample[] {
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => ({
    file,
    line: text.slice(0, match.index).split('\n').length + 1,
    code: match[1],
  }));
}

/** The blocks of JavaScript as one program, each line where the document has it, so that errors name the document's lines. */
export function programOf(text: string): string {
  let isCode = false;
  return text
    .split('\n')
    .map((line) => {
      if (line === (isCode ? '```' : '```js')) isCode = !isCode;
      else if (isCode) return line;
      return '';
    })
    .join('\n');
}

/** Relative links to what is not there, each as `file: link`. */
export function brokenLinks(file: string, text: string): string[] {
  const prose = text.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)]
    .map(([, link]) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => !existsSync(join(root, dirname(file), link)))
    .map((link) => `${file}: ${link}`);
}
