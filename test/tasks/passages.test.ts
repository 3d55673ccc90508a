import { describe, expect, it } from 'vitest';
import { passagesOf } from '../../lib/tasks/search.js';

const words = (count: number, word = 'word'): string => new Array(count).fill(word).join(' ');
/** Longer than what is joined with the next paragraph. */
const paragraph = (word: string): string => `${words(60, word)}.`;

/** Where each passage begins in the file, its headings, and how its text begins. */
const outline = (text: string, file = 'a.md'): [number, string, string][] =>
  passagesOf(text, file).map((passage) => [
    passage.line,
    passage.headings.join('/'),
    passage.text.slice(0, 12),
  ]);

const markdown = `# Title

intro text

## One

${paragraph('first')}

${paragraph('second')}

### Deep ###

short

still short

## Two
at once

# Other
#not a heading
`;

describe('passagesOf', () => {
  it('cuts Markdown at headings and between paragraphs, joining short ones', () => {
    const expected = [
      [3, 'Title', 'intro text'],
      [7, 'Title/One', 'first first '],
      [9, 'Title/One', 'second secon'],
      [13, 'Title/One/Deep', 'short\n\nstill'],
      [18, 'Title/Two', 'at once'],
      [21, 'Other', '#not a headi'],
    ];
    expect(outline(markdown)).toEqual(expected);
    expect(outline(markdown.replaceAll('\n', '\r\n'))).toEqual(expected);
    expect(passagesOf(markdown, 'a.md').every(({ file }) => file === 'a.md')).toBe(true);
  });

  it('names the line on which each passage begins', () => {
    const text = `${markdown}\n\n\n${words(300, 'long\nlines')}\n\n# End\n\nlast`;
    const lines = text.split('\n');
    const passages = passagesOf(text, 'a.md');
    expect(passages.length).toBeGreaterThan(9);
    for (const { line, text: passage } of passages) {
      expect([line, lines[line - 1]]).toEqual([line, passage.split('\n')[0]]);
    }
  });

  it('sees no headings in code, and keeps blank lines of code together', () => {
    const code = `\`\`\`sh\n# a comment\n\n${paragraph('x')}\n\nmore\n\`\`\``;
    const passages = passagesOf(`# Title\n\n${code}\n\n# Next\n\ntext`, 'a.markdown');
    expect(passages.map(({ headings }) => headings)).toEqual([['Title'], ['Next']]);
    expect(passages[0].text).toBe(code);
  });

  it('cuts long paragraphs at the end of a sentence, else between words, else anywhere', () => {
    const sentences = new Array(60).fill('This is a sentence of words.').join(' ');
    for (const { text } of passagesOf(sentences, 'a.md')) {
      expect(text).toMatch(/^This.*words\.$/);
      expect(text.length).toBeLessThanOrEqual(800);
    }
    for (const [text, joint] of [
      [sentences, ' '],
      [words(900), ' '],
      ['x'.repeat(5000), ''],
      ['\u{1f9f5}'.repeat(1001), ''],
      [`a${'\u{1f9f5}'.repeat(1001)}`, ''],
    ]) {
      const passages = passagesOf(text, 'a.md');
      expect(passages.length).toBeGreaterThan(2);
      expect(passages.map((passage) => passage.text).join(joint)).toBe(text);
      expect(passages.every((passage) => !/\p{Surrogate}/u.test(passage.text))).toBe(true);
    }
  });

  it('has no headings in text files', () => {
    expect(outline('# one\n\ntwo', 'a.txt')).toEqual([[1, '', '# one\n\ntwo']]);
  });

  it('finds nothing in nothing', () => {
    for (const nothing of ['', '\n\n', ' \r\n\t', '# Title', '# A\n\n## B\n']) {
      expect(passagesOf(nothing, 'a.md')).toEqual([]);
    }
  });

  it('keeps every word of a large file without a blank line', () => {
    const text = words(200_000, 'line\n');
    const found = passagesOf(text, 'a.txt').reduce((sum, p) => sum + p.text.split(/\s+/).length, 0);
    expect(found).toBe(200_000);
  });
});
