import { describe, expect, it } from 'vitest';
import { ParticleFilm, particlesPage } from '../../lib/analysis/pages/particles_page.js';
import { particles } from '../../lib/analysis/particles/particles.js';
import { withPage } from './browser.js';

async function film(n: number, d: number, samples: number): Promise<ParticleFilm> {
  const result = new ParticleFilm(n, d, samples);
  const onSample = result.add.bind(result);
  await particles({ n, d, beta: 4, time: 10, samples, tolerance: 1e-3, onSample });
  return result;
}

/** Pixels of the canvas that are not transparent, and a number that changes with any of them. */
const drawn = `(() => {
  const canvas = document.querySelector('canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let [count, sum] = [0, 0];
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] > 0) count++;
    sum = (sum * 31 + data[i] + data[i + 1] + data[i + 2] + data[i + 3]) % 1000003;
  }
  return { count, sum };
})()`;

describe.each([2, 3])('the animation, d = %i', (d) => {
  it('draws, plays, scrubs and turns', async () => {
    const html = particlesPage(await film(60, d, 41), '<60 particles>');
    await withPage(html, async ({ page, faults }) => {
      expect(await page.textContent('p')).toBe('<60 particles>');
      const picture = (): Promise<{ count: number; sum: number }> => page.evaluate(drawn);
      const start = await picture();
      expect(start.count).toBeGreaterThan(2000);
      expect(await page.textContent('#clusters')).not.toBe('1');

      await page.locator('input').fill('40');
      expect(await page.textContent('#time')).toBe('10.00');
      expect(Number(await page.textContent('#clusters'))).toBeLessThan(10);
      const end = await picture();
      expect(end.count).toBeLessThan(start.count); // discs lie over each other
      expect(end.sum).not.toBe(start.sum);

      await page.locator('input').fill('0');
      expect(await picture()).toEqual(start);
      await page.getByRole('button', { name: 'Play' }).click();
      await page.locator('#time').filter({ hasNotText: '0.000' }).waitFor();
      await page.getByRole('button', { name: 'Pause' }).click();
      expect(await page.getByRole('button').textContent()).toBe('Play');

      await page.locator('input').fill('0');
      await page.locator('canvas').hover();
      await page.mouse.down();
      await page.mouse.move(300, 300, { steps: 3 });
      await page.mouse.up();
      const turned = await picture();
      if (d === 3) expect(turned.sum).not.toBe(start.sum);
      else expect(turned).toEqual(start);

      const canvas = page.locator('canvas');
      await canvas.focus();
      if (d === 2) {
        expect(await canvas.getAttribute('tabindex')).toBeNull();
      } else {
        for (const [there, back] of [
          ['ArrowRight', 'ArrowLeft'],
          ['ArrowDown', 'ArrowUp'],
        ] as const) {
          await page.keyboard.press(there);
          expect((await picture()).sum, there).not.toBe(turned.sum);
          await page.keyboard.press(back);
        }
        expect(await page.inputValue('input')).toBe('0'); // arrows there turn, and pass no time
        const styled = (property: string): Promise<string> =>
          page.evaluate(
            `getComputedStyle(document.querySelector('canvas')).getPropertyValue('${property}')`,
          );
        expect(await styled('outline-style')).toBe('solid');
        expect(await styled('touch-action')).toBe('pan-y');
        expect(await page.textContent('.note')).toMatch(/arrow keys/);
      }
      expect(faults).toEqual([]);
    });
  });
});

it('stays below a megabyte however many particles there are', () => {
  for (const [n, samples] of [
    [100_000, 101],
    [40, 3000],
  ] as const) {
    const sampled = new ParticleFilm(n, 3, samples);
    const positions = new Float64Array(n * 3).map((_, i) => (i % 3 === 2 ? 1 : 0));
    const figures = { meanInnerProduct: -1.234567e-5, energy: 1.2345678e-12, clusters: n };
    for (let i = 0; i < samples; i++) sampled.add({ time: i / 3, ...figures, positions });
    const html = particlesPage(sampled, 'many');
    expect(html.length).toBeLessThan(1e6);
    expect(html.length).toBeGreaterThan(3e5);
  }
  expect(() => new ParticleFilm(10, 3, 100_000)).toThrow(/room for \d+ samples/);
  expect(() => new ParticleFilm(10, 4, 10)).toThrow(/d = 2 and d = 3/);
});
