/** Single pictures of a film of particles, as SVG. */
import type { ParticleFilm } from './particles_page.js';

const size = 480;
const radius = 210;
/** More circles than this make a picture large without showing more. */
const mostCircles = 2000;

/** The picture of one sample; on the sphere from the side and a little above, what is behind paler. */
export function particleFrame(film: ParticleFilm, sample: number): string {
  const { d, shown } = film;
  const count = Math.min(shown, mostCircles);
  const dot = Math.max(1.5, Math.min(5, 120 / Math.sqrt(count)));
  const circles = Array.from({ length: count }, (_, i) => {
    const particle = Math.floor((i * shown) / count);
    const [startX, startY] = film.position(0, particle);
    const hue = Math.round((Math.atan2(startY, startX) * 180) / Math.PI + 360) % 360;
    const [x, y, z] = seen(film.position(sample, particle), d);
    const isFront = z >= 0;
    const [cx, cy] = [size / 2 + radius * x, size / 2 - radius * y].map((at) => at.toFixed(1));
    const fill = `hsl(${hue},65%,${isFront ? 42 : 78}%)`;
    return { z, text: `<circle cx="${cx}" cy="${cy}" r="${dot.toFixed(1)}" fill="${fill}"/>` };
  }).sort((a, b) => a.z - b.z);
  const time = (film.times[sample] ?? 0).toPrecision(4);
  const clusters = film.clusters[sample];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}" viewBox="0 0 ${size} ${size}">
<rect width="100%" height="100%" fill="white"/>
<circle cx="${size / 2}" cy="${size / 2}" r="${radius}" fill="none" stroke="#c8ccd0"/>
${circles.map(({ text }) => text).join('\n')}
<text x="12" y="22" font-family="system-ui, sans-serif" font-size="14" fill="#333">t = ${time}, ${clusters} ${clusters === 1 ? 'cluster' : 'clusters'}</text>
</svg>
`;
}

/** As the page shows it at first: x to the right, y up, z towards the eye. */
function seen([x, y, z]: readonly [number, number, number], d: number): [number, number, number] {
  if (d === 2) return [x, y, 0];
  const [yaw, pitch] = [0.6, 0.35];
  const along = x * Math.cos(yaw) - y * Math.sin(yaw);
  const away = x * Math.sin(yaw) + y * Math.cos(yaw);
  return [
    along,
    z * Math.cos(pitch) + away * Math.sin(pitch),
    z * Math.sin(pitch) - away * Math.cos(pitch),
  ];
}
