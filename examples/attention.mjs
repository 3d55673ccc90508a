/**
 * Attention read twice: as a lookup that hardens as its temperature falls, and as a memory that mends letters.
 *
 *   node examples/attention.mjs
 */
import { hopfield, lookup } from 'heddle';

const capitals = ['Oslo', 'Rome', 'Kyiv'];
const places = [
  [-0.5, 0.9], // west or east, south or north
  [-0.3, -0.8],
  [0.6, 0.3],
];
console.log('Which capital is in the north-west? Share of each, by inverse temperature t:\n');
console.log(`     t  ${capitals.map((name) => name.padStart(6)).join('')}`);
for (const t of [0, 1, 4, 16, Infinity]) {
  const shares = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ];
  const { data } = await lookup([[-1, 1]], places, shares, { t });
  const row = [...data].map((share) => share.toFixed(3).padStart(7)).join('');
  console.log(`${String(t).padStart(8)}${row}`);
}

const letters = {
  H: ['#...#', '#...#', '#####', '#...#', '#...#'],
  E: ['#####', '#....', '####.', '#....', '#####'],
  D: ['####.', '#...#', '#...#', '#...#', '####.'],
  L: ['#....', '#....', '#....', '#....', '#####'],
};
const patterns = Object.values(letters).map((rows) =>
  [...rows.join('')].map((dot) => (dot === '#' ? 1 : -1)),
);
// Of each letter, the two lower rows are lost.
const broken = patterns.map((pattern) => pattern.map((dot, i) => (i < 15 ? dot : 0)));

/** Pictures beside each other. */
const show = (states) =>
  [0, 1, 2, 3, 4]
    .map((row) =>
      states
        .map((state) => Array.from(state.slice(5 * row, 5 * row + 5), dotOf).join(''))
        .join('   '),
    )
    .join('\n');
const dotOf = (x) => (x > 0.5 ? '#' : x < -0.5 ? '.' : '?');
const rowsOf = ({ data, shape: [rows, columns] }) =>
  Array.from({ length: rows }, (_, i) => data.slice(i * columns, (i + 1) * columns));

console.log('\nLetters stored in a modern Hopfield network. The lower part is lost:\n');
const steps = await hopfield.trajectory(patterns, broken, { beta: 0.5, steps: 3 });
console.log(show(rowsOf(steps[0])));
console.log('\nAfter one update, which is attention to the stored letters, and after three:\n');
console.log(`${show(rowsOf(steps[1]))}\n\n${show(rowsOf(steps[3]))}`);
console.log('\nThe energy of each:\n');
for (const [step, states] of steps.entries()) {
  const energies = Array.from(hopfield.energy(patterns, states, { beta: 0.5 }), (e) =>
    e.toFixed(3).padStart(8),
  );
  console.log(`step ${step}  ${energies.join('')}`);
}
