/** How BLEU cuts a sentence into words: sacreBLEU's tokenizers, whose names its signature carries. */
import { splitWords, trimEnd } from './words.js';

export const bleuTokenizers = ['13a', 'intl', 'char', 'none'] as const;
export type BleuTokenizer = (typeof bleuTokenizers)[number];

export function bleuWords(sentence: string, tokenizer: BleuTokenizer): string[] {
  return splitWords(tokenize[tokenizer](trimEnd(sentence)));
}

const tokenize: Readonly<Record<BleuTokenizer, (line: string) => string>> = {
  // mteval-v13a.pl of NIST: its language-independent part, then that for Western languages.
  '13a': (line) => {
    const plain = line
      .replaceAll('<skipped>', '')
      .replaceAll('-\n', '')
      .replaceAll('\n', ' ')
      .replaceAll('&quot;', '"')
      .replaceAll('&amp;', '&')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>');
    return ` ${plain} `
      .replace(/[ -&(-+:-@/[-`{-~]/gu, ' $& ')
      .replace(/([^0-9])([.,])/gu, '$1 $2 ')
      .replace(/([.,])([^0-9])/gu, ' $1 $2')
      .replace(/([0-9])-/gu, '$1 - ');
  },
  // mteval-v14.pl with --international-tokenization: punctuation stays in numbers only, symbols stand alone.
  intl: (line) =>
    line
      .replace(/(\P{N})(\p{P})/gu, '$1 $2 ')
      .replace(/(\p{P})(\P{N})/gu, ' $1 $2')
      .replace(/\p{S}/gu, ' $& '),
  char: (line) => Array.from(line).join(' '),
  none: (line) => line,
};
