import { afterEach, expect, it, vi } from 'vitest';
import { ProgressBar } from '../../lib/cli/output.js';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it('writes a line each half minute where there is no terminal', () => {
  vi.useFakeTimers();
  Object.defineProperty(process.stderr, 'isTTY', { value: false, configurable: true });
  const written: unknown[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(text) > 0);
  const bar = new ProgressBar('reading');
  for (let done = 0; done <= 100; done++) {
    bar.update(done, 100);
    vi.advanceTimersByTime(1000);
  }
  bar.end();
  expect(written).toEqual(['reading: 30 %\n', 'reading: 60 %\n', 'reading: 90 %\n']);
});

it('keeps a bar within a narrow terminal', () => {
  Object.defineProperty(process.stderr, 'isTTY', { value: true, configurable: true });
  Object.defineProperty(process.stderr, 'columns', { value: 20, configurable: true });
  const written: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  new ProgressBar('downloading').update(100, 100);
  expect(written).toEqual(['\r\x1b[Kdownloading █ 100 %']);
});
