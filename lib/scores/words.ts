/** What Python's `str.split` and `str.rstrip` take for space: unlike `\s`, U+001C to U+001F and U+0085 too, but not U+FEFF. */
const spaces =
  '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const anySpaces = new RegExp(spaces, 'u');

/** The words between spaces. */
export const splitWords = (text: string): string[] =>
  text.split(anySpaces).filter((word) => word !== '');

export function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && anySpaces.test(text[end - 1] as string)) end--;
  return text.slice(0, end);
}
