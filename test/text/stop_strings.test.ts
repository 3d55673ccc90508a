import fc from 'fast-check';
import { expect, it } from 'vitest';
import { StopStrings } from '../../lib/text/stop_strings.js';

it('end a text where the first of them is complete, however it is cut', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 });
  const stops = fc.array(
    fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }),
    { maxLength: 3 },
  );
  fc.assert(
    fc.property(fc.array(letters, { maxLength: 6 }), stops, (pieces, strings) => {
      const stop = new StopStrings(strings);
      let shown = '';
      let read = '';
      for (const piece of pieces) {
        if (stop.stopped) break;
        read += piece;
        shown += stop.push(piece);
        // What has been shown is never taken back.
        expect(read.startsWith(shown)).toBe(true);
      }
      shown += stop.finish();
      const places = strings.map((each) => read.indexOf(each)).filter((at) => at >= 0);
      expect(stop.stopped).toBe(places.length > 0);
      expect(shown).toBe(places.length > 0 ? read.slice(0, Math.min(...places)) : read);
    }),
    { numRuns: 2000 },
  );
});

it('hold back no more than may be the beginning of one', () => {
  const stop = new StopStrings(['</end>']);
  expect(stop.push('a < b')).toBe('a < b');
  expect(stop.push(' </e')).toBe(' ');
  expect(stop.push('lse')).toBe('</else');
  expect(stop.push('</end')).toBe('');
  expect(stop.finish()).toBe('</end');
});
