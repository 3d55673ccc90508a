/** Aims of language models, SmolLM2-135M, as targets.mjs has those of the kernels and encoders. */

const kinds = [
  ['prompt of 128', 1.8, 1.6],
  ['prompt of 512', 1.8, 1.6],
  ['generating after 16', 1, 1],
  ['generating after 512', 1, 1],
];

const decodeRows = (rows, dtype, peer) =>
  rows.filter(
    (row) => row.name === 'decode' && row.dtype === dtype && row.peerName.startsWith(peer),
  );

/** @param aims by case: the least ratio. */
function reached(rows, aims) {
  const found = rows.filter((row) => row.case in aims);
  if (found.length === 0) return undefined;
  return {
    text: found.map((row) => `${row.case}: ${row.ratio.toFixed(2)}`).join(', '),
    isMet: found.every((row) => row.ratio >= aims[row.case]),
    share: '',
  };
}

const listed = (column) => kinds.map((kind) => `${kind[0]}: ${kind[column].toFixed(1)}`).join(', ');

export const languageTargets = [
  ...[
    ['bfloat16', 1],
    ['float32', 2],
  ].map(([dtype, column]) => ({
    work: `SmolLM2-135M, ${dtype}`,
    against: `llama.cpp with the same weights in ${dtype}`,
    aim: listed(column),
    reached: (rows) =>
      reached(
        decodeRows(rows, dtype, 'llama.cpp'),
        Object.fromEntries(kinds.map((kind) => [kind[0], kind[column]])),
      ),
  })),
  {
    work: 'the same, bfloat16',
    against: 'PyTorch in bfloat16',
    aim: 'prompt of 512: 1.8, generating after 512: 3.5',
    reached: (rows) => {
      const aims = { 'prompt of 512': 1.8, 'generating after 512': 3.5 };
      return reached(decodeRows(rows, 'bfloat16', 'PyTorch'), aims);
    },
  },
  {
    work: '8 streams at once, bfloat16, tokens a second',
    against: 'llama.cpp, 8 sequences in one batch',
    aim: '1.5',
    reached: (rows) => reached(decodeRows(rows, 'bfloat16', 'llama.cpp'), { '8 streams': 1.5 }),
  },
  {
    work: '4 streams, bfloat16',
    against: 'a 5 ms timer beside them',
    aim: 'late by 20 ms at most at the 99th percentile',
    reached: (rows) => {
      const late = decodeRows(rows, 'bfloat16', '').find(({ case: kase }) => kase.includes('p99'));
      if (!late) return undefined;
      return { text: `${late.heddle.toFixed(1)} ms`, isMet: late.heddle <= 20, share: '' };
    },
  },
  {
    work: 'from `load` to the first token of a prompt of 32',
    against: 'llama.cpp',
    aim: '1.0',
    reached: (rows) => {
      const kase = 'load to first token of a prompt of 32';
      const found = rows.filter((row) => row.name === 'decode' && row.case === kase);
      if (found.length === 0) return undefined;
      return {
        text: found.map((row) => `${row.dtype} ${row.ratio.toFixed(2)}`).join(', '),
        isMet: found.every((row) => row.ratio >= 1),
        share: '',
      };
    },
  },
];
