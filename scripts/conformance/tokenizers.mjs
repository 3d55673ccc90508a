/**
 * Compares tokenizers with golden cases from Python's tokenizers: a folder with texts.json, and for each
 * tokenizer `<name>/{tokenizer.json, expected.json}`, or older vocabulary files instead of a tokenizer.json.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { foldersIn } from './models.mjs';

/**
 * @typedef {{ tokenizer: string, name: string, error?: string }} TokenizerResult
 * `error` says what differs; absent where the case passed. A tokenizer that cannot be opened fails each case.
 */

/**
 * Runs every case of every tokenizer.
 *
 * @param {(folder: string) => Promise<import('heddle').Tokenizer>} load
 * @param {string} folder
 * @param {readonly string[]} [names] all where left out
 * @returns {AsyncGenerator<TokenizerResult>}
 */
export async function* runTokenizers(load, folder, names) {
  const texts = await readJson(join(folder, 'texts.json'));
  for (const name of names ?? (await foldersIn(folder))) {
    const expected = await readJson(join(folder, name, 'expected.json'));
    let tokenizer;
    let failure;
    try {
      tokenizer = await load(join(folder, name));
    } catch (error) {
      failure = error.message;
    }
    for (const testCase of casesOf(texts, expected)) {
      const error = failure ?? firstDifference(tokenizer, testCase);
      yield { tokenizer: name, name: testCase.name, ...(error === undefined ? {} : { error }) };
    }
  }
}

function* casesOf({ texts, pairs, lone_surrogates: lone }, expected) {
  for (const [i, golden] of expected.cases.entries()) {
    yield { name: `texts[${i}]`, text: texts[i], golden };
  }
  for (const [i, golden] of expected.pairs.entries()) {
    yield { name: `pairs[${i}]`, text: pairs[i][0], pair: pairs[i][1], golden };
  }
  for (const [i, golden] of expected.lone.entries()) {
    yield { name: `lone_surrogates[${i}]`, text: String.fromCodePoint(...lone[i]), golden };
  }
}

/** What differs first, as a sentence; undefined where all is the same. */
function firstDifference(tokenizer, { text, pair, golden }) {
  try {
    for (const [what, expected, found] of comparisons(tokenizer, text, pair, golden)) {
      const [wanted, given] = [expected, found].map((value) => JSON.stringify(value));
      if (wanted === given) continue;
      return `${what} of ${JSON.stringify(pair === undefined ? text : [text, pair])}: expected ${wanted}, found ${given}`;
    }
  } catch (error) {
    return error.message;
  }
  return undefined;
}

function* comparisons(tokenizer, text, pair, golden) {
  const whole = tokenizer.encode(text, { pair });
  yield ['ids', golden.ids, whole.ids];
  let { ids } = whole;
  if (pair !== undefined) {
    yield ['type ids', golden.types, whole.typeIds];
  } else {
    const raw = tokenizer.encode(text, { addSpecialTokens: false });
    yield ['ids without special tokens', golden.raw, raw.ids];
    yield ['offsets', golden.off, inCodePoints(text, raw.offsets)];
    ids = raw.ids;
  }
  yield ['decoded text', golden.dec, tokenizer.decode(ids)];
  const skipped = tokenizer.decode(whole.ids, { skipSpecialTokens: true });
  yield ['decoded text without special tokens', golden.dec_skip, skipped];
}

/** The reference counts code points, Heddle UTF-16 units. */
function inCodePoints(text, offsets) {
  const points = [];
  let count = 0;
  for (const character of text) {
    for (let i = 0; i < character.length; i++) points.push(count);
    count++;
  }
  points.push(count);
  return offsets.map(([start, end]) => [points[start], points[end]]);
}

async function readJson(path) {
  return JSON.parse(await readFile(path, 'utf8'));
}
