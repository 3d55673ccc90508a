/**
 * The pictures of docs/particles.md but for the phase diagram. usage: node scripts/particles/pictures.mjs [docs/images]
 *
 * particles-gamma.svg: the common inner product of orthogonal particles, simulated, over the equation for it.
 * particles-metastable.svg: particles on the circle over time, for one small and one large β.
 */
import { particles } from '../../dist/index.mjs';
import { draw } from '../performance/draw.mjs';

const [, , folder = 'docs/images'] = process.argv;

/** The equation for γ (section 6 of the paper), by the classical Runge–Kutta method. */
function gammaCurve(n, beta, dynamics, end) {
  const slope = (g) => {
    const sum = dynamics === 'sa' ? Math.exp(beta) + (n - 1) * Math.exp(beta * g) : n;
    return (2 * Math.exp(beta * g) * (1 - g) * ((n - 1) * g + 1)) / sum;
  };
  const count = 20_000;
  const h = end / count;
  const points = [];
  let g = 0;
  for (let i = 0; i <= count; i++) {
    if (i % 100 === 0) points.push({ t: i * h, gamma: g });
    const a = slope(g);
    const b = slope(g + (h * a) / 2);
    const c = slope(g + (h * b) / 2);
    g += (h * (a + 2 * b + 2 * c + slope(g + h * c))) / 6;
  }
  return points;
}

const n = 32;
const gammaCases = [
  ...[0, 1, 3, 4, 5].map((beta) => ({ dynamics: 'sa', beta, end: 15 })),
  ...[0, 0.5, 1, 1.5].map((beta) => ({ dynamics: 'usa', beta, end: 5 })),
];
const [theory, simulated] = [[], []];
for (const { dynamics, beta, end } of gammaCases) {
  const names = { dynamics: dynamics.toUpperCase(), beta: `β = ${beta}` };
  for (const point of gammaCurve(n, beta, dynamics, end)) theory.push({ ...names, ...point });
  const options = { n, d: n, beta, dynamics, time: end, samples: 26, init: 'orthogonal' };
  const { times, meanInnerProduct } = await particles(options);
  times.forEach((t, i) => {
    simulated.push({ ...names, t, gamma: meanInnerProduct[i] });
  });
}
const color = { field: 'beta', type: 'nominal', sort: null };
const axes = {
  x: { field: 't', type: 'quantitative', title: 't', scale: { nice: false } },
  y: { field: 'gamma', type: 'quantitative', title: 'γ' },
};
const panel = (dynamics) => {
  const layer = (values, mark) => ({
    data: { values: values.filter((value) => value.dynamics === dynamics) },
    mark,
    encoding: { ...axes, color },
  });
  return {
    title: dynamics,
    width: 300,
    height: 220,
    layer: [layer(theory, { type: 'line' }), layer(simulated, { type: 'point', size: 24 })],
  };
};
const gammaWords = {
  title: 'Orthogonal particles have one inner product',
  subtitle: `n = d = ${n}, Q = K = V = I; lines: the equation, points: heddle particles`,
};
await draw(`${folder}/particles-gamma.svg`, gammaWords, {
  hconcat: [panel('SA'), panel('USA')],
  resolve: { scale: { color: 'independent' } },
  config: { aria: false },
});

const paths = [];
for (const beta of [1, 9]) {
  const last = [];
  // A line ends where it would cross the picture: angles −π and π are the same place.
  const line = new Array(n).fill(0);
  const onSample = ({ time, positions }) => {
    for (let i = 0; i < n; i++) {
      const angle = Math.atan2(positions[2 * i + 1], positions[2 * i]);
      if (Math.abs(angle - last[i]) > Math.PI) line[i]++;
      last[i] = angle;
      paths.push({ beta: `β = ${beta}`, line: `${i} ${line[i]}`, t: time, angle });
    }
  };
  await particles({ n, d: 2, beta, time: 30, seed: 1, samples: 121, tolerance: 1e-5, onSample });
}
const pathWords = {
  title: 'One cluster, or several for a long time',
  subtitle: `SA on the circle, n = ${n}, the same start`,
};
await draw(`${folder}/particles-metastable.svg`, pathWords, {
  data: { values: paths },
  facet: { field: 'beta', type: 'nominal', title: null },
  spec: {
    width: 300,
    height: 220,
    mark: { type: 'line', strokeWidth: 1, color: '#0b6e4f' },
    encoding: {
      detail: { field: 'line' },
      x: { field: 't', type: 'quantitative', title: 't', scale: { nice: false } },
      y: {
        field: 'angle',
        type: 'quantitative',
        title: 'angle',
        scale: { domain: [-Math.PI, Math.PI], nice: false },
        axis: { values: [-3, -2, -1, 0, 1, 2, 3] },
      },
    },
  },
  config: { aria: false, header: { labelFontSize: 13 } },
});
process.exit();
