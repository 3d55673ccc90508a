/**
 * What Heddle aims at, and from which rows of the benches one sees how far it is: ratios within one run, two threads. An aim is
 * for a machine with AVX-512; `avx2` is the one for AVX2, where there is another.
 *
 * `reached` gives what the documents show, or undefined where they have no such rows: `text` as the page prints it, `isMet`
 * by the aim that fits the instruction set, and `share` of the ceiling in words.
 */

const ratio = (value) => value.toFixed(2);
const percent = (share) => `${Math.round(100 * share)} %`;
const geometricMean = (values) =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
const range = (values, format) => {
  const [low, high] = [format(Math.min(...values)), format(Math.max(...values))];
  return low === high ? low : `${low} to ${high}`;
};
const isOneDnn = ({ peerName }) => peerName.startsWith('oneDNN');
const isOwn = ({ peerName }) => peerName.startsWith('Heddle');

/** Rows in groups of one case each, in order. */
function byCase(rows) {
  const groups = new Map();
  for (const row of rows) groups.set(row.case, [...(groups.get(row.case) ?? []), row]);
  return [...groups.values()];
}

/** Each case against its fastest peer. */
const againstBest = (rows) =>
  byCase(rows.filter(({ ratio: found }) => found !== null)).map((group) =>
    group.reduce((a, b) => (b.ratio < a.ratio ? b : a)),
  );

const products = (rows, dtype, fits, form = 'packed') =>
  rows.filter(
    (row) =>
      row.name === 'gemm' &&
      row.form === form &&
      row.dtype === dtype &&
      fits(row.shape[0], row.shape),
  );

/** Ratios of several cases against a mean and a least. */
function several(rows, { mean, least = mean }) {
  if (rows.length === 0) return undefined;
  const ratios = rows.map((row) => row.ratio);
  const average = geometricMean(ratios);
  return {
    text:
      ratios.length === 1
        ? ratio(average)
        : `${ratio(average)} on average, ${range(ratios, ratio)}`,
    isMet: average >= mean && Math.min(...ratios) >= least,
    share: shareOf(rows),
  };
}

function shareOf(rows) {
  const shares = rows.map(({ shareOfCeiling }) => shareOfCeiling).filter((share) => share > 0);
  return shares.length === 0 ? '' : range(shares, percent);
}

/** The cases of `embed` by name, each against its aim. */
function batches(rows, dtype, aims, fits = () => true) {
  const best = againstBest(
    rows.filter((row) => row.name === 'embed' && row.dtype === dtype && fits(row)),
  ).filter((row) => row.case in aims);
  if (best.length === 0) return undefined;
  return {
    text: best.map((row) => `${row.case}: ${ratio(row.ratio)}`).join(', '),
    isMet: best.every((row) => row.ratio >= aims[row.case]),
    share: shareOf(best),
    rows: best,
  };
}

const isEmbedding = ({ name, case: kase }) => name === 'embed' && / (sentences|texts)/.test(kase);

function attention(rows, direction, aimOf) {
  const found = rows.filter(
    (row) => row.name === 'attention' && row.direction === direction && row.ratio !== null,
  );
  if (found.length === 0) return undefined;
  const text = [false, true]
    .map((causal) => {
      const of = found.filter((row) => row.causal === causal).map((row) => row.ratio);
      return `${causal ? 'causal' : 'full'} ${range(of, ratio)}`;
    })
    .join(', ');
  const isMet = found.every((row) => row.ratio >= aimOf(row));
  return { text, isMet, share: shareOf(found) };
}

export const targets = [
  {
    work: 'float32 product, packed, M ≥ 128',
    against: 'the fastest of oneDNN, OpenBLAS, BLIS',
    aim: '1.00 on average, 0.96 at each',
    avx2: '0.97 on average, 0.92 at each',
    reached: (rows, isAvx2) => {
      const cases = products(rows, 'float32', (m) => m >= 128).filter((row) => !isOwn(row));
      const aim = isAvx2 ? { mean: 0.97, least: 0.92 } : { mean: 1, least: 0.96 };
      return several(againstBest(cases), aim);
    },
  },
  {
    work: 'the same, M = 512, K, N ≥ 384',
    against: 'the measured peak of multiply-adds',
    aim: '92 %',
    reached: (rows) => {
      const fits = (m, [, k, n]) => m === 512 && k >= 384 && n >= 384;
      const shares = products(rows, 'float32', fits).map((row) => row.shareOfCeiling);
      if (shares.length === 0) return undefined;
      const share = range(shares, percent);
      return { text: share, isMet: Math.min(...shares) >= 0.92, share };
    },
  },
  ...[
    [8, 1],
    [32, 1.1],
  ].map(([rowsOfX, mean]) => ({
    work: `float32 product, packed, M = ${rowsOfX}`,
    against: 'oneDNN, packed',
    aim: mean.toFixed(1),
    reached: (rows) => {
      const cases = products(rows, 'float32', (m) => m === rowsOfX).filter(isOneDnn);
      return several(againstBest(cases), { mean });
    },
  })),
  {
    work: 'bfloat16 product, M ≥ 128',
    against: "oneDNN's, packed; on AVX2 our own float32",
    aim: '0.97',
    avx2: '0.9',
    reached: (rows, isAvx2) => {
      const all = products(rows, 'bfloat16', (m) => m >= 128);
      const own = (row) => row.peerName === 'Heddle, float32';
      const cases = all.filter(isAvx2 ? own : isOneDnn);
      return several(againstBest(cases), { mean: isAvx2 ? 0.9 : 0.97 });
    },
  },
  {
    work: 'int8 product, quantising counted, M ≥ 128',
    against: "oneDNN's with the same quantising",
    aim: '0.95',
    avx2: '0.7, without saturating',
    reached: (rows, isAvx2) => {
      const cases = products(rows, 'int8', (m) => m >= 128).filter(isOneDnn);
      return several(againstBest(cases), { mean: isAvx2 ? 0.7 : 0.95 });
    },
  },
  {
    work: 'products of training, neither side packed',
    against: 'the fastest of oneDNN, OpenBLAS, BLIS',
    aim: '1.00',
    reached: (rows) => {
      const cases = ['nn', 'nt', 'tn'].flatMap((form) =>
        products(rows, 'float32', () => true, form),
      );
      return several(againstBest(cases), { mean: 1, least: 0.96 });
    },
  },
  {
    work: 'a second thread, M ≥ 128',
    against: 'one thread',
    aim: '1.85',
    reached: (rows) => {
      const cases = products(rows, 'float32', (m) => m >= 128);
      return several(
        cases.filter((row) => row.peerName === 'Heddle, 1 thread'),
        { mean: 1.85 },
      );
    },
  },
  {
    work: 'one row, weight beyond the last cache',
    against: 'reading memory',
    aim: '0.85 for each type of weight',
    reached: (rows) => {
      const found = rows.filter((row) => row.name === 'gemv' && row.peerName === 'reading memory');
      if (found.length === 0) return undefined;
      const text = found.map((row) => `${row.dtype} ${ratio(row.ratio)}`).join(', ');
      const isMet = found.every((row) => row.ratio >= 0.85);
      return {
        text,
        isMet,
        share: `${range(
          found.map((row) => row.ratio),
          percent,
        )} of the bandwidth`,
      };
    },
  },
  {
    work: 'attention forward, float32, 12 × 64',
    against: 'PyTorch',
    aim: '2.3 full, 2.6 causal (3.5 at 512)',
    reached: (rows) =>
      attention(rows, 'forward', ({ causal, shape }) => {
        if (!causal) return 2.3;
        return shape[1] === 512 ? 3.5 : 2.6;
      }),
  },
  {
    work: 'the same, long texts',
    against: 'the measured peak',
    aim: '80 % from 2048 on',
    avx2: '75 % from 512 on',
    reached: (rows, isAvx2) => {
      const [least, from] = isAvx2 ? [0.75, 512] : [0.8, 2048];
      const found = rows.filter(
        ({ name, direction, shape }) =>
          name === 'attention' && direction === 'forward' && shape[1] >= from,
      );
      if (found.length === 0) return undefined;
      const shares = found.map((row) => row.shareOfCeiling);
      const share = range(shares, percent);
      return { text: share, isMet: Math.min(...shares) >= least, share };
    },
  },
  {
    work: 'attention backward',
    against: 'PyTorch',
    aim: '2.0',
    reached: (rows) => attention(rows, 'backward', () => 2),
  },
  {
    work: 'all-MiniLM-L6-v2, float32',
    against: 'onnxruntime',
    aim: '1×20: 1.4, 32×20: 1.08, 1×128: 1.2, 32×128: 1.35',
    reached: (rows) => {
      const aims = { '1x20': 1.4, '32x20': 1.08, '1x128': 1.2, '32x128': 1.35 };
      return batches(rows, 'float32', aims, ({ peerName }) => peerName.startsWith('onnxruntime'));
    },
  },
  {
    work: 'the same, 32×128',
    against: 'the measured peak',
    aim: '',
    avx2: '75 %',
    reached: (rows) => {
      const found = rows.find(
        (row) => row.name === 'embed' && row.case === '32x128' && row.dtype === 'float32',
      );
      if (!found) return undefined;
      const share = percent(found.shareOfCeiling);
      return { text: share, isMet: found.shareOfCeiling >= 0.75, share };
    },
  },
  {
    work: 'the same, int8, cosine ≥ 0.99',
    against: 'the better of onnxruntime and CTranslate2 in int8',
    aim: '1.2 each',
    reached: (rows) => {
      const aims = { '1x20': 1.2, '32x20': 1.2, '1x128': 1.2, '32x128': 1.2 };
      const found = batches(rows, 'int8', aims);
      if (!found) return undefined;
      const cosines = found.rows.map(({ cosine }) => cosine).filter((cosine) => cosine !== null);
      if (cosines.length === 0) return found;
      const cosine = Math.min(...cosines);
      return {
        ...found,
        text: `${found.text}; cosine ${cosine.toFixed(3)}`,
        isMet: found.isMet && cosine >= 0.99,
      };
    },
  },
  {
    work: 'the same, bfloat16',
    against: 'PyTorch in bfloat16',
    aim: '1×20: 1.5, 32×20: 1.4, 1×128: 1.5, 32×128: 1.5',
    reached: (rows) => {
      const aims = { '1x20': 1.5, '32x20': 1.4, '1x128': 1.5, '32x128': 1.5 };
      return batches(rows, 'bfloat16', aims);
    },
  },
  ...[
    ['onnxruntime', 'onnxruntime, padded by 32', 4.5],
    ['CTranslate2', 'CTranslate2', 1.4],
  ].map(([engine, against, mean]) => ({
    work: '256 sentences of 8 to 128 tokens, float32',
    against,
    aim: mean.toFixed(1),
    reached: (rows) => {
      const found = rows.filter(
        (row) =>
          isEmbedding(row) &&
          row.dtype === 'float32' &&
          row.ratio !== null &&
          row.peerName.startsWith(engine),
      );
      const plain = found.filter((row) => !row.case.includes('peer'));
      // CTranslate2 by its best order, onnxruntime padded as it comes.
      return several(engine === 'CTranslate2' ? bestOf(found) : plain, { mean });
    },
  })),
  ...[
    ['tfjs', 'tfjs-backend-wasm', 10],
    ['other', 'the best pure JavaScript', 80],
  ].map(([kind, against, least]) => ({
    work: 'sgemm in Node',
    against,
    aim: `${least}`,
    reached: (rows) => {
      const found = rows.filter(
        ({ name, peerName, ratio: given }) =>
          name === 'javascript' &&
          given !== null &&
          peerName.startsWith('tfjs') === (kind === 'tfjs'),
      );
      const best = againstBest(found);
      if (best.length === 0) return undefined;
      const ratios = best.map((row) => row.ratio);
      const whole = (value) => value.toFixed(value < 20 ? 1 : 0);
      return { text: range(ratios, whole), isMet: Math.min(...ratios) >= least, share: '' };
    },
  })),
];

/** The row with the smallest ratio alone. */
function bestOf(rows) {
  return rows.length === 0 ? [] : [rows.reduce((a, b) => (b.ratio < a.ratio ? b : a))];
}
