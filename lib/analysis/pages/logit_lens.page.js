/* global data, element, make, shadeOf */
const colourOf = (share) =>
  `rgb(${shadeOf(Math.min(1, Math.max(0, share))).map((channel) => Math.round(channel))})`;
/** A token as one can see it. */
const shownAs = (text) => text.replace(/\n/g, '↵').replace(/\t/g, '→').trim() || '␣';
const percent = (probability) =>
  probability >= 0.0005 ? `${(100 * probability).toFixed(probability < 0.1 ? 1 : 0)} %` : '< 0.1 %';

const last = data.layers[data.layers.length - 1];
const rows = [...data.layers].reverse().map(({ layer, positions }) => {
  const cells = positions.map((prediction, position) => {
    const [entropy, word, probability] = prediction;
    const cell = make('td', { textContent: shownAs(data.words[word]), tabIndex: -1 });
    if (word === last.positions[position][1]) cell.classList.add('same');
    return { cell, layer, position, prediction, entropy, probability };
  });
  return { layer, cells };
});

element('lens').tHead.append(
  make(
    'tr',
    {},
    make('th', { textContent: 'after' }),
    ...data.tokens.map((text, i) =>
      make('th', { textContent: shownAs(text), title: `token ${i + 1}`, scope: 'col' }),
    ),
  ),
);
element('lens').tBodies[0].append(
  ...rows.map(({ layer, cells }) =>
    make(
      'tr',
      {},
      make('th', { textContent: layer, scope: 'row' }),
      ...cells.map(({ cell }) => cell),
    ),
  ),
);

function paint() {
  const byEntropy = element('measure').value === 'entropy';
  for (const { cells } of rows) {
    for (const { cell, entropy, probability } of cells) {
      const share = byEntropy ? 1 - entropy / data.mostEntropy : probability;
      cell.style.background = colourOf(share);
      cell.style.color = share > 0.6 ? '#fff' : '#1f2328';
    }
  }
  element('low').textContent = byEntropy ? `${data.mostEntropy.toFixed(1)} nats` : '0';
  element('high').textContent = byEntropy ? '0 nats' : '1';
}
element('measure').onchange = paint;

/** Row and column of the cell that is told of, and whether a click holds it. */
let [at, held] = [{ row: 0, column: data.tokens.length - 1 }, false];

function show(row, column) {
  const chosen = rows[row]?.cells[column];
  if (!chosen) return;
  const before = rows[at.row].cells[at.column].cell;
  before.classList.remove('chosen');
  before.tabIndex = -1;
  at = { row, column };
  chosen.cell.classList.add('chosen');
  chosen.cell.tabIndex = 0;
  const { layer, position, prediction } = chosen;
  const [entropy, ...top] = prediction;
  element('name').textContent =
    `Layer ${layer}, after “${shownAs(data.tokens[position])}” (token ${position + 1})`;
  element('entropy').textContent =
    `entropy ${entropy.toFixed(2)} of at most ${data.mostEntropy.toFixed(2)} nats`;
  element('top').replaceChildren(
    ...Array.from({ length: top.length / 2 }, (_, i) => {
      const bar = make('i', {});
      bar.style.width = `${100 * top[2 * i + 1]}%`;
      return make(
        'li',
        {},
        make('code', { textContent: JSON.stringify(data.words[top[2 * i]]) }),
        make('span', { textContent: percent(top[2 * i + 1]) }),
        make('span', {}, bar),
      );
    }),
  );
}

const table = element('lens').tBodies[0];
/** Row and column of a cell below an event. */
function placeOf(event) {
  const cell = event.target.closest('td');
  return cell ? [cell.parentElement.rowIndex - 1, cell.cellIndex - 1] : undefined;
}
table.onpointerover = (event) => {
  const place = placeOf(event);
  if (place && !held && event.pointerType !== 'touch') show(...place);
};
table.onclick = (event) => {
  const place = placeOf(event);
  if (!place) return;
  held = !(held && place[0] === at.row && place[1] === at.column);
  show(...place);
};
table.onkeydown = (event) => {
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const step = steps[event.key];
  if (event.key === 'Escape') held = false;
  if (!step) return;
  event.preventDefault();
  held = true;
  show(at.row + step[0], at.column + step[1]);
  rows[at.row].cells[at.column].cell.focus();
};

paint();
show(0, data.tokens.length - 1);
document.body.dataset.ready = 'true';
