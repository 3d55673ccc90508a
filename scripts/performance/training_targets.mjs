/** Aims of training, and of what explains models, as targets.mjs has those of the kernels and encoders. */

const listed = (rows, isMet, share = '') =>
  rows.length === 0
    ? undefined
    : {
        text: rows.map(({ what, value }) => (what ? `${what} ${value}` : value)).join(', '),
        isMet,
        share,
      };

const steps = (rows, dtype) =>
  rows.filter((row) => row.name === 'train' && row.case === 'GPT-2 shape' && row.dtype === dtype);

const mode = ({ peerName }) => peerName.split(' ').at(-1);

/** Ratios to PyTorch, by what is in front of them. */
const ratios = (rows, least, name = mode) =>
  listed(
    rows.map((row) => ({ what: name(row), value: row.ratio.toFixed(2) })),
    rows.every((row) => row.ratio >= least),
  );

const baseSteps = (rows, kind) =>
  rows.filter((row) => row.name === 'train' && row.case.startsWith(`base, ${kind}`));

export const trainingTargets = [
  {
    work: 'one AdamW step, GPT-2 shape, float32',
    against: 'PyTorch eager and compiled',
    aim: '2.2',
    reached: (rows) => ratios(steps(rows, 'float32'), 2.2),
  },
  {
    work: 'the same',
    against: 'the measured peak of multiply-adds',
    aim: '65 %',
    reached: (rows) => {
      const [row] = steps(rows, 'float32');
      if (!row) return undefined;
      const share = `${Math.round(100 * row.shareOfCeiling)} %`;
      return { text: share, isMet: row.shareOfCeiling >= 0.65, share };
    },
  },
  {
    work: 'the same, products in bfloat16',
    against: 'PyTorch, bfloat16 autocast',
    aim: '1.3',
    reached: (rows) => ratios(steps(rows, 'bfloat16'), 1.3, () => ''),
  },
  ...[
    ['shuffled batches, padded to the longest', 'shuffled', 3],
    ['batches bucketed by length', 'bucketed', 1.8],
  ].map(([against, kind, aim]) => ({
    work: 'one step of the base model of Vaswani et al., 2,048 tokens a side',
    against: `PyTorch \`nn.Transformer\`, ${against}`,
    aim: aim.toFixed(1),
    reached: (rows) =>
      ratios(
        baseSteps(rows, kind),
        aim,
        ({ padding }) => `${Math.round(100 * padding)} % padding:`,
      ),
  })),
  {
    work: 'peak memory of the GPT-2 step, beyond the idle process',
    against: "PyTorch's, beyond its import",
    aim: 'at most 0.6',
    reached: (rows) => {
      const row = rows.find(({ name, case: kase }) => name === 'train' && kase.endsWith('memory'));
      if (!row?.ratio) return undefined;
      return { text: row.ratio.toFixed(2), isMet: row.ratio <= 0.6, share: '' };
    },
  },
  {
    work: 'a step of 20,000 particles, d = 64',
    against: 'NumPy, in the quickest blocks and unblocked',
    aim: '5',
    reached: (rows) =>
      ratios(
        rows.filter((row) => row.name === 'particles' && row.shape[1] === 64),
        5,
        (row) => row.case.split(', ').at(-1),
      ),
  },
  {
    work: '`heddle estimate`, a cold start',
    against: 'the clock',
    aim: 'at most 150 ms',
    reached: (rows) => {
      const found = rows.filter((row) => row.name === 'estimate');
      const shown = found.map((row) => ({
        what: `${row.case}:`,
        value: `${row.heddle.toFixed(0)} ms`,
      }));
      const isMet = found.every((row) => row.heddle <= 150);
      const [row] = found;
      return listed(shown, isMet, row ? `Node alone: ${row.peer.toFixed(0)} ms` : '');
    },
  },
];
