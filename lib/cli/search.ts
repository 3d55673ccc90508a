import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { CAC } from 'cac';
import { HeddleError } from '../errors.js';
import { type Passage, passagesOf, search } from '../tasks/search.js';
import { interruptible, openModel, withModelOptions } from './model_options.js';
import { count, note, ProgressBar, printJson, printLine } from './output.js';

export function registerSearch(cli: CAC): void {
  const command = cli.command(
    'search <query> <...files>',
    'Rank passages of text and Markdown files by meaning',
  );
  withModelOptions(command)
    .option('--limit <n>', 'How many passages to print (default: 5)')
    .option(
      '--json',
      'One JSON document: {"query", "results": [{"score", "file", "line", "headings", "text"}]}',
    )
    .example('heddle search "how do I stop a run" README.md docs')
    .action((query: unknown, files: unknown[], options: Record<string, unknown>) =>
      interruptible((signal) => searchFiles(String(query), files.map(String), options, signal)),
    );
}

async function searchFiles(
  query: string,
  files: readonly string[],
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const limit = count('limit', options.limit) ?? 5;
  const passages: Passage[] = [];
  for (const file of await textFiles(files)) {
    passages.push(...passagesOf(await readText(file), file));
  }
  if (passages.length === 0) {
    throw new HeddleError('ERR_INPUT', `search: no text in ${files.join(', ')}`);
  }
  using model = await openModel(options, signal);
  const bar = new ProgressBar('embedding');
  const begin = performance.now();
  const results = await search(model, query, passages, {
    limit,
    signal,
    onProgress: ({ done, total }) => bar.update(done, total),
  }).finally(() => bar.end());
  const seconds = (performance.now() - begin) / 1000;

  if (options.json) {
    const flat = results.map(({ score, passage }) => ({ score, ...passage }));
    printJson({ query, passages: passages.length, seconds, results: flat });
    return;
  }
  for (const { score, passage } of results) {
    const heading = passage.headings.length > 0 ? `  ${passage.headings.join(' › ')}` : '';
    printLine(`${score.toFixed(3)}  ${passage.file}:${passage.line}${heading}`);
    printLine(`${excerpt(passage.text)}\n`);
  }
  const words = passages.length === 1 ? 'passage' : 'passages';
  note(
    `${passages.length} ${words} in ${seconds.toFixed(2)} s, ${(passages.length / seconds).toFixed(0)} a second`,
  );
}

/** The beginning of a passage, on indented lines. */
function excerpt(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const shown = lines
    .slice(0, 4)
    .map((line) => (line.length > 110 ? `${line.slice(0, 109)}…` : line));
  if (lines.length > 4) shown.push('…');
  return shown.map((line) => `       ${line}`).join('\n');
}

const textExtensions = ['.txt', '.md', '.markdown', '.mdx', '.rst'];

/** Files as given; folders are searched for text files. */
async function textFiles(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const entry = await stat(path).catch((cause: Error) => {
      throw new HeddleError('ERR_NOT_FOUND', `${path}: cannot be read (${cause.message})`, {
        cause,
      });
    });
    if (!entry.isDirectory()) {
      found.push(path);
      continue;
    }
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    const inside = entries
      .filter((file) => file.isFile() && textExtensions.includes(extname(file.name).toLowerCase()))
      .map((file) => join(file.parentPath, file.name));
    found.push(...inside.sort());
  }
  return found;
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new HeddleError('ERR_FILE', `${file}: cannot be read (${(cause as Error).message})`, {
      cause,
    });
  }
}
