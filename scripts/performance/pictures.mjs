/** The pictures of docs/performance.md, each from the rows of one bench. */
import { draw, engineOf, engineScale, measuredOn } from './draw.mjs';

const quantitative = (field, title, more = {}) => {
  return { field, type: 'quantitative', title, ...more };
};
const engineColour = (engines, legend = { orient: 'top' }) => {
  return { field: 'engine', type: 'nominal', scale: engineScale(engines), legend };
};

/** Products by shape: a mark for each engine, and the CPU's peak. */
export async function gemm(file, { machine, results }) {
  const rows = results.filter(
    ({ name, form, dtype }) => name === 'gemm' && form === 'packed' && dtype === 'float32',
  );
  const marks = new Map(); // the better of an engine's versions
  const add = (shape, engine, rate, rank) => {
    const key = `${engine} ${shape}`;
    if (rate === null || (marks.get(key)?.rate ?? 0) > rate) return;
    marks.set(key, { shape, engine, rate, rank });
  };
  for (const { case: kase, shape, heddle, peer, peerName } of rows) {
    const label = kase.replaceAll('x', ' × ');
    const rank = shape[0] * 1e9 + shape[1] * shape[2];
    add(label, 'Heddle', heddle, rank);
    if (!peerName.startsWith('Heddle')) add(label, engineOf(peerName), peer, rank);
  }
  const values = [...marks.values()];
  const engines = values.map(({ engine }) => engine);
  const { ceiling, threads } = rows[0];
  const words = {
    title: 'float32 product by shape, M × K × N',
    subtitle: [
      measuredOn(machine, threads),
      `grey: the measured peak of multiply-adds, ${ceiling.toFixed(0)} GFLOP/s`,
    ],
  };
  await draw(file, words, {
    width: 520,
    height: { step: 24 },
    layer: [
      {
        data: { values: [{ peak: ceiling }] },
        mark: { type: 'rule', color: '#999', strokeWidth: 2 },
        encoding: { x: quantitative('peak') },
      },
      {
        data: { values },
        mark: { type: 'point', filled: true, size: 80, opacity: 0.85 },
        encoding: {
          y: {
            field: 'shape',
            type: 'nominal',
            sort: { field: 'rank', order: 'descending' },
            title: null,
            axis: { grid: true, ticks: false },
          },
          x: quantitative('rate', 'GFLOP/s (more is better)', { scale: { zero: true } }),
          color: engineColour(engines),
          shape: engineShape(engines),
        },
      },
    ],
  });
}

const engineShape = (engines) => {
  const { domain } = engineScale(engines);
  const shapes = ['diamond', 'circle', 'square', 'triangle-up', 'cross'];
  return {
    field: 'engine',
    type: 'nominal',
    scale: { domain, range: domain.map((_, i) => shapes[i]) },
    legend: { orient: 'top' },
  };
};

/** Attention by length: solid without a mask, dashed causal; forward beside backward. */
export async function attention(file, { machine, results }) {
  const rows = results.filter(({ name }) => name === 'attention');
  const values = rows.flatMap(({ shape, direction, causal, heddle, peer, peerName }) => {
    const at = { length: shape[1], direction, mask: causal ? 'causal' : 'full' };
    const both = [{ ...at, engine: 'Heddle', rate: heddle }];
    if (peer !== null) both.push({ ...at, engine: engineOf(peerName), rate: peer });
    return both;
  });
  const { ceiling, threads } = rows[0];
  const words = {
    title: 'float32 attention by length, 12 heads of 64',
    subtitle: [
      measuredOn(machine, threads),
      'solid: without a mask; dashed: causal, which counts as half the work',
      `grey: the measured peak of multiply-adds, ${ceiling.toFixed(0)} GFLOP/s`,
    ],
  };
  const lengths = [...new Set(values.map(({ length }) => length))];
  await draw(file, words, {
    data: { values },
    facet: {
      column: { field: 'direction', type: 'nominal', title: null, sort: ['forward', 'backward'] },
    },
    spec: {
      width: 260,
      height: 220,
      layer: [
        {
          mark: { type: 'rule', color: '#999', strokeWidth: 2 },
          encoding: { y: { datum: ceiling, type: 'quantitative' } },
        },
        {
          mark: { type: 'line', point: { filled: true, size: 55 }, strokeWidth: 2 },
          encoding: {
            x: quantitative('length', 'tokens', {
              scale: { type: 'log', base: 2, nice: false, padding: 12 },
              axis: { values: lengths, grid: false, format: 'd' },
            }),
            y: quantitative('rate', 'GFLOP/s (more is better)', { scale: { zero: true } }),
            color: engineColour(values.map(({ engine }) => engine)),
            strokeDash: {
              field: 'mask',
              type: 'nominal',
              scale: {
                domain: ['full', 'causal'],
                range: [
                  [1, 0],
                  [5, 4],
                ],
              },
              legend: null,
            },
          },
        },
      ],
    },
  });
}

/** Texts a second by kind of batch; each kind has its own scale. */
export async function sentences(file, { machine, results }) {
  const rows = results.filter(
    ({ name, unit, case: kase }) =>
      name === 'embed' && unit === 'texts/s' && !kase.includes('peer'),
  );
  const values = [];
  const seen = new Set();
  for (const { case: kase, dtype, heddle, peer, peerName, cosine, peerCosine } of rows) {
    const batch = kase.replace(
      /^(\d+)x(\d+)$/,
      (_, count, length) => `${count} ${count === '1' ? 'text' : 'texts'} of ${length} tokens`,
    );
    const add = (engine, rate, similar) => {
      const label = `${engine} ${dtype}`;
      if (rate === null || seen.has(batch + label)) return;
      seen.add(batch + label);
      const low = similar !== null && similar < 0.99 ? ` (cosine ${similar.toFixed(2)})` : '';
      values.push({ batch, engine, label, rate, text: `${Number(rate.toPrecision(3))}${low}` });
    };
    add('Heddle', heddle, cosine);
    add(engineOf(peerName), peer, peerCosine);
  }
  const { threads } = rows[0];
  const words = {
    title: 'all-MiniLM-L6-v2: texts a second (more is better)',
    subtitle: [
      measuredOn(machine, threads),
      'beside a bar: its cosine to the float32 vectors, where it is below 0.99',
    ],
  };
  const engines = values.map(({ engine }) => engine);
  const pictureOf = (batch) => ({
    title: { text: batch, anchor: 'start', fontSize: 11, offset: 6 },
    width: 190,
    height: { step: 19 },
    data: { values: values.filter((value) => value.batch === batch) },
    encoding: {
      y: { field: 'label', type: 'nominal', title: null, sort: null, axis: plainAxis },
      x: quantitative('rate', null, { axis: null }),
    },
    layer: [
      {
        mark: { type: 'bar', cornerRadiusEnd: 2 },
        encoding: { color: engineColour(engines, null) },
      },
      {
        mark: { type: 'text', align: 'left', dx: 4, fontSize: 10, color: '#333' },
        encoding: { text: { field: 'text', type: 'nominal' } },
      },
    ],
  });
  await draw(file, words, {
    concat: [...new Set(values.map(({ batch }) => batch))].map(pictureOf),
    columns: 2,
    spacing: { row: 24, column: 60 },
    resolve: { scale: { color: 'shared' } },
  });
}

const plainAxis = { ticks: false, domain: false };

/** Nodes of an encoder's plan under the roofline of this machine; the area of a node is its share of the time. */
export async function roofline(file, { machine, results }) {
  const rows = results.filter(
    ({ name, dtype, share, heddle }) =>
      name === 'profile' && dtype === 'float32' && heddle > 0 && share >= 0.005,
  );
  const { ceiling, bandwidth, threads } = rows[0];
  const nodes = rows.map(({ op, heddle, gbps, share }) => {
    return { op, intensity: heddle / gbps, rate: heddle, share };
  });
  const ridge = ceiling / bandwidth;
  const roof = [0.1, ridge, 200].map((intensity) => {
    return { intensity, rate: Math.min(ceiling, intensity * bandwidth) };
  });
  const ops = [...new Set(nodes.map(({ op }) => op))];
  const words = {
    title: 'The nodes of all-MiniLM-L6-v2 under the roofline',
    subtitle: [
      `${measuredOn(machine, threads)}; 256 sentences, float32`,
      `multiply-adds ${ceiling.toFixed(0)} GFLOP/s, memory ${bandwidth.toFixed(1)} GB/s, in the same run`,
      'the area of a mark is its share of the time',
    ],
  };
  const log = (domain) => ({ type: 'log', domain, nice: false });
  const x = quantitative('intensity', 'arithmetic intensity, FLOP/byte', {
    scale: log([0.1, 200]),
  });
  const y = quantitative('rate', 'GFLOP/s', { scale: log([1, ceiling * 1.6]) });
  await draw(file, words, {
    width: 560,
    height: 300,
    layer: [
      {
        data: { values: roof },
        mark: { type: 'line', color: '#777', strokeWidth: 2, clip: true },
        encoding: { x, y },
      },
      {
        data: { values: nodes },
        mark: { type: 'point', filled: true, opacity: 0.75 },
        encoding: {
          x,
          y,
          size: { field: 'share', type: 'quantitative', scale: { range: [40, 900] }, legend: null },
          color: {
            field: 'op',
            type: 'nominal',
            scale: {
              domain: ops,
              range: ['#0b6e4f', '#0072b2', '#d55e00', '#cc79a7', '#9a6324', '#999'],
            },
            legend: { orient: 'top' },
          },
        },
      },
    ],
  });
}
