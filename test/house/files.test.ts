import { describe, expect, it } from 'vitest';
import { type Source, sources } from './sources.js';

const code = ['.ts', '.mjs', '.cc', '.h', '.inc', '.py', '.c', '.sh'];
const self = 'test/house/files.test.ts';

/** Lines of the files that match, as `path:line`. */
function matches(files: Source[], pattern: RegExp): string[] {
  return files.flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
  );
}

describe('files', () => {
  const all = sources().filter(({ path }) => path !== self);
  const written = all.filter(({ path }) => code.some((kind) => path.endsWith(kind)));

  it('have one role: at most 400 lines', () => {
    expect(written.length).toBeGreaterThan(0);
    const long = written.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }));
    expect(long.filter(({ lines }) => lines > 400)).toEqual([]);
  });

  it('are named after what they hold', () => {
    const vague = /(^|\/)(utils?|helpers?|common|misc)(\/|\.\w+$)/;
    expect(all.map(({ path }) => path).filter((path) => vague.test(path))).toEqual([]);
    expect(vague.test('lib/utils/a.ts')).toBe(true);
    expect(vague.test('native/common.h')).toBe(true);
  });

  it('read the environment in two places only', () => {
    const readers = ['lib/native.ts', 'lib/checkpoints/hub_cache.ts'];
    const lib = all.filter(({ path }) => path.startsWith('lib/') && !readers.includes(path));
    expect(matches(lib, /process\.env\b|\bgetenv\b/)).toEqual([]);
  });

  it('leave nothing open', () => {
    expect(matches(written, /\b(TODO|FIXME|XXX)\b/)).toEqual([]);
    const tests = written.filter(({ path }) => path.startsWith('test/'));
    expect(matches(tests, /\b(it|test|describe)\.(skip|only|todo|fails)\b/)).toEqual([]);
  });

  it('name no registry and no folder of one machine', () => {
    const addresses =
      /registry\.npmjs\.org|registry\.yarnpkg|pypi\.org|files\.pythonhosted|"resolved": *"http/;
    expect(matches(all, addresses)).toEqual([]);
    expect(matches(written, /(^|[\s"'`(=])\/(work|root|home|Users)\/\w/)).toEqual([]);
  });
});
