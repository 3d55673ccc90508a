import { expect, it } from 'vitest';
import { TrainingDisplay } from '../../lib/cli/training_display.js';

/** The last picture of a run whose loss falls from 3 to 1, and rises in its last tenth. @param said after its last step. */
function pictureAt(columns: number, said?: string): string[] {
  let written = '';
  const steps = 12_000;
  const write = (text: string) => {
    written += text;
  };
  const output = { isTTY: true, columns, write } as never;
  const display = new TrainingDisplay(steps, output);
  display.begin(0);
  for (let step = 1; step <= steps; step++) {
    const loss = step < 0.9 * steps ? 3 - (2 * step) / (0.9 * steps) : 3;
    display.update({ step, loss, tokensPerSecond: 150_000 });
  }
  if (said !== undefined) display.say(said);
  const pictures = written.split('\x1b[J');
  return (pictures.at(-1) ?? '').trimEnd().split('\n');
}

it.each([120, 80, 60])('shows the whole of a run on %i columns', (columns) => {
  const lines = pictureAt(columns);
  expect(lines).toHaveLength(9);
  for (const line of lines) expect([...line].length).toBeLessThan(columns);
  const bar = lines.at(-1);
  expect(bar).toMatch(/^█+ 12000\/12000 {2}loss 3\.0000 {2}150000 tokens\/s {2}0:00 left$/);
  // The end of the run is at the right of the highest line, its lowest loss on the last.
  const [highest = '', lowest = ''] = [lines[0], lines[7]];
  expect(highest).toMatch(/^ {3}3\.000 ┤/);
  expect(lowest).toMatch(/^ {3}1\.\d+ ┤/);
  expect(highest.at(-1)).not.toBe('\u2800');
});

it('keeps its plot below what is said', () => {
  expect(pictureAt(80, 'step 12000: evaluation')).toEqual([
    'step 12000: evaluation',
    ...pictureAt(80),
  ]);
});

it('shows no bar where there is no room', () => {
  const lines = pictureAt(20);
  for (const line of lines) expect([...line].length).toBeLessThan(20);
  expect(lines.at(-1)).toBe(' 12000/12000  loss');
});
