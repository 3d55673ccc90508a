/**
 * Writes bench/texts.json: English sentences of 8 to 128 tokens of all-MiniLM-L6-v2 from a plain text of
 * novels, in a fixed shuffle. Usage: node bench/make-texts.mjs NOVELS.txt FOLDER_OF_TOKENIZER
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Tokenizer } from '../dist/index.mjs';

const count = 256;
const [, , novels, folder] = process.argv;
const tokenizer = await Tokenizer.load(folder);

const sentences = readFileSync(novels, 'utf8')
  .split(/\r?\n\s*\r?\n/)
  .map((paragraph) => paragraph.replace(/\s+/g, ' ').replaceAll('_', '').trim())
  .flatMap((paragraph) =>
    paragraph.split(/(?<=[.!?]["']?)(?<!\b(?:Mr|Mrs|Dr|St|Esq)\.) (?=["']?[A-Z])/),
  )
  // Whole sentences only: no chapter headings, no torn quotations.
  .filter((text) => /^[A-Z].*[a-z].*[.!?]$/.test(text) && !text.includes('"'));

shuffle(sentences);
const texts = [];
for (const text of new Set(sentences)) {
  const tokens = tokenizer.encode(text).ids.length;
  if (tokens >= 8 && tokens <= 128) texts.push({ text, tokens });
  if (texts.length === count) break;
}
const mean = texts.reduce((sum, { tokens }) => sum + tokens, 0) / texts.length;
const document = {
  source: 'Novels of Jane Austen (public domain)',
  meanTokens: Number(mean.toFixed(2)),
  texts: texts.map(({ text }) => text),
};
writeFileSync(
  new URL('texts.json', import.meta.url),
  `${JSON.stringify(document, undefined, 1)}\n`,
);
console.log(`${texts.length} texts, ${mean.toFixed(1)} tokens on average`);

/** Fisher and Yates, with a generator of a fixed seed. */
function shuffle(items) {
  let state = 20261122;
  for (let i = items.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    [items[i], items[j]] = [items[j], items[i]];
  }
}
