import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { passagesOf, sentencesOf, splitPassages } from '../../scripts/fetch-brown.mjs';
import { databaseObjects, stringVector } from '../../scripts/r-data.mjs';

const words = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => {
    bytes.writeInt32BE(value, 4 * i);
  });
  return bytes;
};

/** A vector of strings as R serializes it; undefined is NA. */
function serialized(texts: (string | undefined)[], version = 3): Buffer {
  const encoding = version === 3 ? [words(5), Buffer.from('UTF-8')] : [];
  const strings = texts.flatMap((text) => {
    const bytes = Buffer.from(text ?? '');
    return [words(0x40009, text === undefined ? -1 : bytes.length), bytes];
  });
  const head = [Buffer.from('X\n'), words(version, 0x40201, 0x30500), ...encoding];
  return Buffer.concat([...head, words(16, texts.length), ...strings]);
}

describe('the data of an R package', () => {
  const texts = ['EMMA', '', 'Fräulein', undefined];

  it.each([2, 3])('is read, serialized in version %i', (version) => {
    expect(stringVector(serialized(texts, version))).toEqual(['EMMA', '', 'Fräulein', '']);
  });

  it('lies object after object in a database', () => {
    const objects = [serialized(['one']), serialized(['two', 'three'])];
    const database = Buffer.concat(
      objects.flatMap((object) => [words(object.length), deflateSync(object)]),
    );
    expect([...databaseObjects(database)].map(stringVector)).toEqual([['one'], ['two', 'three']]);
    database.writeInt32BE(7, 0);
    expect(() => [...databaseObjects(database)]).toThrow(/length/);
  });

  it('that is cut off is refused', () => {
    const bytes = serialized(['one', 'two']);
    expect(() => stringVector(bytes.subarray(0, bytes.length - 1))).toThrow(/string/);
    expect(() => stringVector(Buffer.from('RDX3\n'))).toThrow(/not serialized/);
  });
});

describe('passages of the Brown corpus', () => {
  it('are its sentences without tags, joined', () => {
    const tagged =
      "\n\n\t``/`` Who/wps is/bez it/pps ?/. ?/. ''/'' he/pps asked/vbd ,/, twice/rb ./.\n\tNo/at one/pn ./.\n";
    const sentences = sentencesOf(tagged);
    expect(sentences).toEqual(['"Who is it?" he asked, twice.', 'No one.']);
    expect(passagesOf(sentences, 3)).toEqual(['"Who is it?" he asked, twice.']);
    expect(passagesOf(sentences, 7)).toEqual(['"Who is it?" he asked, twice. No one.']);
  });

  it('are in one part with all of their text', () => {
    const names = ['ca01', 'ca02', 'ca03', 'ca04', 'cn01', 'cn02', 'README'];
    const texts = names.map((name): [string, string] => [
      name,
      `${name}/x of/in it/pps\n`.repeat(2),
    ]);
    const twice = (...lines: string[]) => lines.flatMap((line) => [line, line]);
    expect(splitPassages(new Map(texts), 3)).toEqual({
      train: twice('ca02 of it\tnews', 'ca04 of it\tnews', 'cn02 of it\tadventure'),
      valid: twice('ca03 of it\tnews'),
      test: twice('ca01 of it\tnews', 'cn01 of it\tadventure'),
    });
  });
});
