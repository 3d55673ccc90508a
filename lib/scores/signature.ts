import packageJson from '../../package.json' with { type: 'json' };

/** `key:value|…`: how a score was computed, in sacreBLEU's words; the version is Heddle's. */
export function signature(parts: Readonly<Record<string, string | number>>): string {
  return [...Object.entries(parts), ['version', `heddle-${packageJson.version}`]]
    .map(([key, value]) => `${key}:${value}`)
    .join('|');
}

/** A number with so many decimals, as Python prints it: of two that are as near, the even one. */
export function fixed(value: number, digits: number): string {
  // Exactly between two: an odd multiple of 2^-(digits + 1), as 10^digits is 5^digits times a power of two.
  const halves = value * 2 ** (digits + 1);
  const down = Math.floor(value * 10 ** digits);
  const isBetween = Number.isInteger(halves) && halves % 2 !== 0;
  return isBetween && down % 2 === 0
    ? (down / 10 ** digits).toFixed(digits)
    : value.toFixed(digits);
}
