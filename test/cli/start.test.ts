import { describe, expect, it } from 'vitest';
import { script } from './heddle.js';

describe('npm start', () => {
  it('ranks passages of the README and docs, plainly where it is piped', async () => {
    const words = ['which', 'threads', 'are', 'there?'];
    const { code, stdout } = await script('start.mjs', words);
    expect(code).toBe(0);
    const [question, , ...lines] = stdout.trimEnd().split('\n');
    expect(question).toBe('which threads are there?');
    const ranked = lines.flatMap(
      (line) => /^ {2}(0\.\d\d) {2}(\S+):\d+ /.exec(line)?.slice(1, 3) ?? [],
    );
    expect(ranked).toHaveLength(6);
    expect(ranked[1]).toMatch(/\.md$/);
    expect(Number(ranked[0])).toBeGreaterThanOrEqual(Number(ranked[2]));
    expect(lines.at(-1)).toMatch(
      /^\d+ passages, [\d,]+ tokens in [\d.]+ s: [\d,]+ passages\/s, [\d,]+ tokens\/s$/,
    );
    expect(stdout).not.toContain('\x1b');
  });
});
