/**
 * The phase diagram of Geshkovski, Letrouit, Polyanskiy & Rigollet 2023 (section 6): the probability that two of n = 32 particles
 * that start uniformly on S^{d−1} and follow (SA) have ⟨x, x′⟩ ≥ 1 − 10⁻³ at time t, over t and β, for several d. The curve is
 * where particles that start orthogonal, as they nearly do for large d, reach this inner product.
 *
 * usage: node scripts/particles/phase_diagram.mjs [docs/images/particles-phase-diagram.svg] [starts]
 */
import { particles } from '../../dist/index.mjs';
import { draw } from '../performance/draw.mjs';

const [, , file = 'docs/images/particles-phase-diagram.svg', starts = '12'] = process.argv;
const n = 32;
const delta = 1e-3;
const end = 30;
const samples = 61;
const dimensions = [2, 8, 32, 128];
const betas = Array.from({ length: 19 }, (_, i) => i / 2);

/** The share of pairs that are near at each time, over all starts. */
async function shares(d, beta) {
  const near = new Array(samples).fill(0);
  for (let seed = 0; seed < Number(starts); seed++) {
    let at = 0;
    const onSample = ({ positions }) => {
      near[at++] += nearPairs(positions, d) / Number(starts);
    };
    await particles({ n, d, beta, time: end, samples, seed, tolerance: 1e-4, onSample });
  }
  return near;
}

function nearPairs(x, d) {
  let count = 0;
  for (let a = 0; a < n; a++) {
    for (let b = 0; b < a; b++) {
      let inner = 0;
      for (let i = 0; i < d; i++) inner += x[a * d + i] * x[b * d + i];
      if (inner >= 1 - delta) count++;
    }
  }
  return count / ((n * (n - 1)) / 2);
}

/** When γ, the common inner product of orthogonal particles, reaches 1 − δ; undefined where that is after the end. */
async function reaching(beta) {
  const options = { n, d: n, beta, time: end, init: 'orthogonal', samples: 601, tolerance: 1e-6 };
  const { times, meanInnerProduct } = await particles(options);
  const i = meanInnerProduct.findIndex((inner) => inner >= 1 - delta);
  return i < 0 ? undefined : times[i];
}

const cells = [];
for (const d of dimensions) {
  for (const beta of betas) {
    const near = await shares(d, beta);
    let last;
    near.slice(0, -1).forEach((exact, i) => {
      const share = Number(exact.toFixed(2));
      const [t, t2] = [i, i + 1].map((k) => (k * end) / (samples - 1));
      // Equal neighbours are one rectangle: a quarter of the picture's bytes.
      if (last?.share === share) {
        last.t2 = t2;
      } else {
        last = { d: `d = ${d}`, t, t2, beta: beta - 0.25, beta2: beta + 0.25, share };
        cells.push(last);
      }
    });
    process.stderr.write(`d = ${d}, β = ${beta}\n`);
  }
}
const curve = [];
for (let beta = 0; beta <= 9; beta += 0.25) {
  const t = await reaching(beta);
  if (t !== undefined) for (const d of dimensions) curve.push({ d: `d = ${d}`, t, beta });
}

const time = {
  type: 'quantitative',
  title: 't',
  scale: { domain: [0, end], nice: false },
  axis: { grid: false },
};
const inverse = {
  type: 'quantitative',
  title: 'β',
  scale: { domain: [-0.25, 9.25], nice: false },
  axis: { grid: false },
};
const words = {
  title: 'How likely two particles are in one cluster',
  subtitle: `SA, n = ${n}, ${starts} uniform starts each; white line: γ = 1 − 10⁻³ for orthogonal starts`,
};
await draw(file, words, {
  data: { values: cells },
  columns: 2,
  facet: { field: 'd', type: 'nominal', title: null, sort: dimensions.map((d) => `d = ${d}`) },
  spec: {
    width: 300,
    height: 190,
    layer: [
      {
        mark: { type: 'rect', strokeWidth: 0 },
        encoding: {
          x: { field: 't', ...time },
          x2: { field: 't2' },
          y: { field: 'beta', ...inverse },
          y2: { field: 'beta2' },
          color: {
            field: 'share',
            type: 'quantitative',
            title: 'share of pairs',
            scale: { scheme: 'viridis', domain: [0, 1] },
          },
        },
      },
      {
        data: { values: curve },
        mark: { type: 'line', color: 'white', strokeWidth: 2, clip: true },
        encoding: {
          x: { field: 't', ...time },
          y: { field: 'beta', ...inverse },
          order: { field: 'beta' },
        },
      },
    ],
  },
  config: { aria: false, header: { labelFontSize: 13 } },
});
process.exit();
