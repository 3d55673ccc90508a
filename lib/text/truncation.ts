import { mismatch } from '../errors.js';

/**
 * How many ids to keep of two texts of `first` and `second` ids (second: null when there is one text), so
 * that they fit beside `special` special tokens in `maxLength`.
 *
 * Hugging Face's 'longest_first': only the longer one is cut while it stays the longer one, else both
 * are cut to half, and an odd one goes to the longer.
 */
export function keptLengths(
  first: number,
  second: number | null,
  special: number,
  maxLength: number,
): [first: number, second: number] {
  const room = maxLength - special;
  if (room < 0) {
    throw mismatch(
      'ERR_ARGUMENT',
      'maxLength',
      `at least ${special}, the special tokens`,
      `${maxLength}`,
    );
  }
  if (second === null) return [Math.min(first, room), 0];
  if (first + second <= room) return [first, second];
  const short = Math.min(first, second);
  const half = Math.floor(room / 2);
  const [shortKept, longKept] =
    short + Math.max(short, room - short) <= room
      ? [short, room - short]
      : [half, half + (room % 2)];
  return first <= second ? [shortKept, longKept] : [longKept, shortKept];
}
