/* global data, element, make, shadeOf */
const measures = [
  [`entropy, ${data.unit}`, 2],
  ['mean distance, tokens', 1],
  ['weight of the first token', 2],
  ['weight of the token itself', 2],
  ['weight of the token before', 2],
];
const count = data.tokens.length;
const heads = data.layers.flatMap(({ layer, heads: all }, row) =>
  all.map((figures, head) => ({ layer, head, figures, row, index: 0 })),
);
heads.forEach((head, index) => {
  head.index = index;
});
const columns = Math.max(...data.layers.map((layer) => layer.heads.length));

/** Colours of the square root of a weight. */
const ramp = Array.from({ length: 256 }, (_, i) => shadeOf(i / 255));
const colourOf = (root) => ramp[Math.round(255 * root)];
const unseen = [240, 242, 244];

let maps;
let [current, held, pointed] = [0, -1, -1];
/** The square root of a weight, 0 … 1. */
const rootAt = (head, query, key) => maps[(head * count + key) * count + query] / data.steps;
const weightAt = (head, query, key) => rootAt(head, query, key) ** 2;
/** Maps in few steps are for looking at, not for reading off digits. */
const percent = (weight) =>
  `${data.steps === 255 ? '' : '≈ '}${(100 * weight).toFixed(data.steps === 255 && weight < 0.1 ? 1 : 0)} %`;
const nameOf = (i) => `“${data.tokens[i][0]}”`;

/** Draws a head into size × size pixels, of which each shows the greatest of the weights that fall on it. */
function drawSmall(canvas, head) {
  const size = Math.min(count, 72);
  canvas.width = size;
  canvas.height = size;
  const context = canvas.getContext('2d');
  const image = context.createImageData(size, size);
  const greatest = new Float32Array(size * size);
  for (let query = 0; query < count; query++) {
    const y = Math.floor((query * size) / count);
    for (let key = 0; key < count; key++) {
      const at = y * size + Math.floor((key * size) / count);
      greatest[at] = Math.max(greatest[at], rootAt(head, query, key));
    }
  }
  greatest.forEach((root, i) => {
    const isUnseen = data.causal && i % size > Math.floor(i / size);
    image.data.set([...(isUnseen ? unseen : colourOf(root)), 255], 4 * i);
  });
  context.putImageData(image, 0, 0);
}

const grid = element('grid');
const buttons = heads.map(({ layer, head, index }) => {
  const caption = make('span', {});
  const button = make('button', { type: 'button', tabIndex: -1 }, make('canvas', {}), caption);
  button.onclick = () => open(index);
  button.title = `layer ${layer}, head ${head}`;
  return button;
});
/** Heads as they stand, and how many in a line. */
let [order, lineLength] = [heads, columns];

function arrange() {
  const measure = Number(element('measure').value);
  const how = element('order').value;
  const sign = how === 'up' ? 1 : -1;
  order =
    how === 'place'
      ? heads
      : [...heads].sort((a, b) => sign * (a.figures[measure] - b.figures[measure]));
  const whole = document.body.clientWidth - 40;
  // Beside the chosen head where the window is wide, above it where it is not.
  const room = whole > 920 ? 0.56 * whole : whole;
  const rows = data.layers.length;
  const fit = Math.min((room - 30) / columns - 3, 900 / rows - 16, 76);
  const cell = Math.max(22, Math.floor(fit));
  lineLength =
    how === 'place'
      ? columns
      : Math.max(4, Math.floor(Math.min(room, columns * (cell + 3)) / (Math.max(cell, 50) + 3)));
  grid.style.setProperty('--cell', `${how === 'place' ? cell : Math.max(cell, 50)}px`);
  grid.style.gridTemplateColumns =
    how === 'place' ? `auto repeat(${columns}, auto)` : `repeat(${lineLength}, auto)`;
  const label = (kind, text) => make('span', { className: kind, textContent: text });
  const placed =
    how === 'place'
      ? [
          label('row', ''),
          ...Array.from({ length: columns }, (_, i) => label('column', i)),
          ...data.layers.flatMap(({ layer, heads: all }, row) => [
            label('row', layer),
            ...heads.filter((head) => head.row === row).map(({ index }) => buttons[index]),
            ...Array.from({ length: columns - all.length }, () => label('row', '')),
          ]),
        ]
      : order.map(({ index }) => buttons[index]);
  grid.replaceChildren(...placed);
  for (const { layer, head, figures, index } of heads) {
    const value = figures[measure].toFixed(measures[measure][1]);
    const place = how === 'place' ? '' : `${layer}.${head} `;
    buttons[index].lastChild.textContent = `${place}${value}`;
    buttons[index].ariaLabel = `Layer ${layer}, head ${head}: ${measures[measure][0]} ${value}`;
  }
}

grid.onkeydown = (event) => {
  const at = order.findIndex(({ index }) => buttons[index] === document.activeElement);
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -lineLength, ArrowDown: lineLength };
  const next = { Home: 0, End: order.length - 1 }[event.key] ?? at + steps[event.key];
  if (at < 0 || !(event.key in steps || event.key === 'Home' || event.key === 'End')) return;
  event.preventDefault();
  if (order[next] === undefined) return;
  open(order[next].index);
  buttons[order[next].index].focus();
};

function open(index) {
  for (const [i, chosen] of [
    [current, false],
    [index, true],
  ]) {
    buttons[i].ariaPressed = String(chosen);
    buttons[i].tabIndex = chosen ? 0 : -1;
  }
  current = index;
  const { layer, head, figures } = heads[index];
  element('name').textContent = `Layer ${layer}, head ${head}`;
  element('figures').replaceChildren(
    ...figures.map((value, i) =>
      make(
        'div',
        {},
        make('dt', { textContent: measures[i][0] }),
        make('dd', { textContent: value.toFixed(measures[i][1] + 1) }),
      ),
    ),
  );
  draw();
}

const flow = element('flow');
const links = flow.querySelector('svg');
const tokens = data.tokens.map(([text, continues], i) => {
  const shown = text.replace(/\n/g, '↵').replace(/^\s+$/, '␣');
  const token = make('span', {
    className: continues ? 'token continues' : 'token',
    textContent: shown,
    tabIndex: i ? -1 : 0,
  });
  token.setAttribute('role', 'button');
  token.onpointerenter = (event) => event.pointerType !== 'touch' && point(i);
  token.onpointerleave = (event) => event.pointerType !== 'touch' && point(-1);
  token.onfocus = () => point(i);
  token.onblur = () => point(-1);
  token.onclick = () => {
    held = held === i ? -1 : i;
    draw();
  };
  return token;
});
flow.append(...tokens);
flow.onkeydown = (event) => {
  const at = tokens.indexOf(document.activeElement);
  const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: count - 1 }[event.key];
  if (event.key === 'Enter' || event.key === ' ') tokens[at]?.onclick();
  else if (event.key === 'Escape') held = -1;
  else if (tokens[next] === undefined) return;
  event.preventDefault();
  if (next === undefined) return draw();
  tokens[at].tabIndex = -1;
  tokens[next].tabIndex = 0;
  tokens[next].focus();
};

function point(i) {
  if (pointed === i) return;
  pointed = i;
  draw();
}

const isFrom = () => document.querySelector('[name=direction]:checked').value === 'from';

/** The links of the token that is pointed at or held, and the large map. */
function draw() {
  const token = pointed >= 0 ? pointed : held;
  const from = isFrom();
  const roots = tokens.map((_, i) => {
    if (token < 0) return 0;
    return from ? rootAt(current, token, i) : rootAt(current, i, token);
  });
  tokens.forEach((span, i) => {
    const [red, green, blue] = colourOf(0.85 * roots[i]);
    span.style.background = roots[i] > 0.1 ? `rgb(${red} ${green} ${blue})` : '';
    span.style.color = roots[i] > 0.68 ? '#fff' : '';
    span.classList.toggle('chosen', i === token);
    span.ariaPressed = String(i === held);
  });
  drawLinks(token, roots);
  say(token, roots, from);
  drawLarge(token, from);
}

function drawLinks(token, roots) {
  links.replaceChildren();
  if (token < 0) return;
  const frame = flow.getBoundingClientRect();
  const middle = (i) => {
    const box = tokens[i].getClientRects()[0] ?? tokens[i].getBoundingClientRect();
    return { x: box.left - frame.left + box.width / 2, y: box.top - frame.top };
  };
  const start = middle(token);
  roots.forEach((root, i) => {
    const weight = root ** 2;
    if (weight < 0.01 || i === token) return;
    const end = middle(i);
    const apart = Math.hypot(end.x - start.x, end.y - start.y);
    const top = Math.min(start.y, end.y) - Math.min(46, 8 + 0.16 * apart);
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute(
      'd',
      `M${start.x} ${start.y} C${start.x} ${top} ${end.x} ${top} ${end.x} ${end.y}`,
    );
    path.setAttribute('fill', 'none');
    path.setAttribute('stroke', '#d55e00');
    path.setAttribute('stroke-linecap', 'round');
    path.setAttribute('stroke-opacity', String(0.35 + 0.55 * root));
    path.setAttribute('stroke-width', String(0.8 + 9 * weight));
    links.append(path);
  });
}

function say(token, roots, from) {
  const best = roots
    .map((root, i) => ({ i, weight: root ** 2 }))
    .sort((a, b) => b.weight - a.weight)
    .slice(0, 6)
    .filter(({ weight }) => weight >= 0.005);
  const list = best.map(({ i, weight }) => `${nameOf(i)} ${percent(weight)}`).join(', ');
  element('said').textContent =
    token < 0
      ? 'Point at a token to see its links; a click or a tap holds it.'
      : `${token + 1}. ${nameOf(token)} ${from ? 'attends to' : 'is attended to by'} ${list || 'none much'}`;
}

const large = element('large');
/** Room for names beside the map, where each token has enough of it; and pixels of a weight. */
let [margin, scale] = [0, 1];

function drawLarge(token, from) {
  const room = Math.min(large.parentElement.clientWidth, 680);
  margin = room / count >= 13 ? 76 : 0;
  const step = (room - margin) / count;
  scale = step >= 2 ? Math.min(28, Math.floor(step)) : step;
  const size = Math.round(margin + scale * count);
  const ratio = window.devicePixelRatio || 1;
  large.width = size * ratio;
  large.height = size * ratio;
  large.style.width = `${size}px`;
  const context = large.getContext('2d');
  context.scale(ratio, ratio);
  context.fillStyle = '#fff';
  context.fillRect(0, 0, size, size);
  for (let query = 0; query < count; query++) {
    for (let key = 0; key < count; key++) {
      const hidden = data.causal && key > query;
      const [red, green, blue] = hidden ? unseen : colourOf(rootAt(current, query, key));
      context.fillStyle = `rgb(${red} ${green} ${blue})`;
      context.fillRect(
        margin + key * scale,
        margin + query * scale,
        Math.max(scale, 1),
        Math.max(scale, 1),
      );
    }
  }
  context.strokeStyle = '#d8dee4';
  context.strokeRect(margin + 0.5, margin + 0.5, scale * count - 1, scale * count - 1);
  if (token >= 0) {
    context.strokeStyle = '#d55e00';
    context.lineWidth = 1.5;
    if (from) context.strokeRect(margin, margin + token * scale, scale * count, scale);
    else context.strokeRect(margin + token * scale, margin, scale, scale * count);
  }
  if (margin > 0) drawNames(context, token);
  large.ariaLabel = `Weights of layer ${heads[current].layer}, head ${heads[current].head}, a row for each token that looks`;
}

function drawNames(context, token) {
  context.font = `${Math.min(12, scale - 1)}px system-ui, sans-serif`;
  context.textBaseline = 'middle';
  tokens.forEach((span, i) => {
    const name =
      span.textContent.length > 11 ? `${span.textContent.slice(0, 10)}…` : span.textContent;
    context.fillStyle = i === token ? '#d55e00' : '#1f2328';
    context.textAlign = 'right';
    context.fillText(name, margin - 5, margin + (i + 0.5) * scale);
    context.save();
    context.translate(margin + (i + 0.5) * scale, margin - 5);
    context.rotate(-Math.PI / 2);
    context.textAlign = 'left';
    context.fillText(name, 0, 0);
    context.restore();
  });
}

const explain = 'Rows: the token that looks. Columns: the tokens it looks at.';
large.onpointermove = (event) => {
  const box = large.getBoundingClientRect();
  const [key, query] = [event.clientX - box.left, event.clientY - box.top].map((place) =>
    Math.floor((place * (margin + scale * count)) / box.width / scale - margin / scale),
  );
  const isInside = key >= 0 && query >= 0 && key < count && query < count;
  element('under').textContent = isInside
    ? `${nameOf(query)} → ${nameOf(key)}: ${data.causal && key > query ? 'not seen' : percent(weightAt(current, query, key))}`
    : explain;
  point(isInside ? (isFrom() ? query : key) : -1);
};
large.onpointerleave = () => {
  element('under').textContent = explain;
  point(-1);
};
element('under').textContent = explain;

async function unpack() {
  const bytes = Uint8Array.from(atob(data.packed), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

unpack().then((bytes) => {
  maps = bytes;
  element('measure').append(
    ...measures.map(([name], value) => make('option', { value, textContent: name })),
  );
  element('measure').onchange = arrange;
  element('order').onchange = arrange;
  element('direction').onchange = draw;
  buttons.forEach((button, i) => {
    drawSmall(button.firstChild, i);
  });
  arrange();
  // Begins with a head that looks at more than one place: the least entropy is mostly that of one that looks nowhere else.
  const focused = heads.filter(
    ({ figures }) => figures[2] < 0.5 && figures[3] < 0.5 && figures[4] < 0.5,
  );
  const [best = heads[0]] = [...focused].sort((a, b) => a.figures[0] - b.figures[0]);
  open(best.index);
  addEventListener('resize', () => {
    arrange();
    draw();
  });
  document.body.dataset.ready = 'true';
});
