/**
 * npm start [-- words…]
 *
 * Searches Heddle's README and docs by meaning: fetches all-MiniLM-L6-v2 where it is not on this machine, embeds the first
 * passages of every page and prints those nearest to each question.
 */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { indexPassages, load, passagesOf } from '../dist/index.mjs';
import { minilmFolder } from './fetch-minilm.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const questions = [
  'how do I turn sentences into vectors?',
  'can a run be stopped half-way?',
  'why does nothing depend on the number of threads?',
];

/** Of each page: the index is to be there in a few seconds. */
const mostPassages = 6;

const isTerminal = process.stdout.isTTY && process.env.NO_COLOR === undefined;
const styles = { bold: 1, dim: 2, green: 32, cyan: 36 };
const styled = (style, text) => (isTerminal ? `\x1b[${styles[style]}m${text}\x1b[0m` : text);
const width = Math.min(process.stdout.columns ?? 100, 110);

try {
  await start(process.argv.slice(2).join(' '));
} catch (error) {
  console.error(`heddle: ${error.message}`);
  process.exitCode = 1;
}

async function start(words) {
  const source = await minilmFolder({ note: (line) => console.error(styled('dim', line)) });
  const model = await load(source);
  try {
    const passages = (await texts()).flatMap(({ file, text }) =>
      passagesOf(text, file).slice(0, mostPassages),
    );
    await model.embed(passages[0].text); // makes the plan, so that what is timed is the arithmetic
    const begin = performance.now();
    const index = await indexPassages(model, passages);
    const seconds = (performance.now() - begin) / 1000;
    for (const question of words === '' ? questions : [words]) {
      printResults(question, await index.search(question, { limit: 3 }));
    }
    printThroughput(model, passages, seconds);
  } finally {
    model.dispose();
  }
}

/** The project's Markdown files, by their paths from its folder. */
async function texts() {
  const top = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];
  const docs = await readdir(join(root, 'docs'), { recursive: true }).catch(() => []);
  const pages = docs.filter((name) => name.endsWith('.md')).map((name) => join('docs', name));
  const read = async (file) => ({
    file,
    text: await readFile(join(root, file), 'utf8').catch(() => ''),
  });
  return Promise.all([...top, ...pages.sort()].map(read));
}

function printResults(question, results) {
  console.log(`${styled('bold', question)}\n`);
  for (const { score, passage } of results) {
    const place = styled('cyan', `${passage.file}:${passage.line}`);
    const heading =
      passage.headings.length > 0 ? `  ${styled('dim', passage.headings.join(' › '))}` : '';
    console.log(`  ${styled('green', score.toFixed(2))}  ${place}${heading}`);
    for (const line of wrap(passage.text.replace(/\s+/g, ' '), width - 8, 3)) {
      console.log(`        ${line}`);
    }
    console.log();
  }
}

/** How many passages and tokens a second made the index. */
function printThroughput(model, passages, seconds) {
  const read = passages.map(({ headings, text }) => [...headings, text].join('\n'));
  const tokens = read.reduce((sum, text) => sum + tokensOf(model, text), 0);
  const rate = (count) => Math.round(count / seconds).toLocaleString('en');
  const line = `${read.length} passages, ${tokens.toLocaleString('en')} tokens in ${seconds.toFixed(2)} s: `;
  console.log(styled('dim', `${line}${rate(read.length)} passages/s, ${rate(tokens)} tokens/s`));
}

function tokensOf(model, text) {
  return model.tokenizer.encode(text, { maxLength: model.maxLength }).ids.length;
}

/** The first lines of a text, broken between words. */
function wrap(text, columns, count) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line === '' || line.length + 1 + word.length <= columns) {
      lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
    } else if (lines.length === count) {
      const isFull = line.length + 2 > columns;
      lines[count - 1] = `${isFull ? line.slice(0, line.lastIndexOf(' ')) : line} …`;
      break;
    } else {
      lines.push(word);
    }
  }
  return lines;
}
