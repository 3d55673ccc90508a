/* global data */
// Positions are quantised: for each time and particle its azimuth and, on S², its height, 16 bits each.
const bytes = Uint8Array.from(atob(data.positions), (character) => character.charCodeAt(0));
const words = new Uint16Array(bytes.buffer);
const { d, shown, times } = data;
const perParticle = d - 1;
const radiusOf = 0.44;

const canvas = document.querySelector('canvas');
const context = canvas.getContext('2d');
const slider = document.querySelector('input');
const button = document.querySelector('button');
const facts = Object.fromEntries(
  [...document.querySelectorAll('dd')].map((element) => [element.id, element]),
);
const seconds = 12;
let frame = 0; // a real number: between two times, particles are shown between their places
let isPlaying = false;
let [yaw, pitch] = [0.6, 0.35];
const turnOfKey = Math.PI / 24;

function place(at, particle, out) {
  const word = (at * shown + particle) * perParticle;
  const azimuth = (words[word] / 65536) * 2 * Math.PI;
  const height = d === 3 ? (words[word + 1] / 65535) * 2 - 1 : 0;
  const radius = Math.sqrt(Math.max(0, 1 - height * height));
  out[0] = radius * Math.cos(azimuth);
  out[1] = radius * Math.sin(azimuth);
  out[2] = height;
}

const [before, after, turned] = [new Float64Array(3), new Float64Array(3), new Float64Array(3)];

function interpolated(particle) {
  const at = Math.min(Math.floor(frame), times.length - 1);
  place(at, particle, before);
  place(Math.min(at + 1, times.length - 1), particle, after);
  const share = frame - at;
  for (let i = 0; i < 3; i++) before[i] += share * (after[i] - before[i]);
  const length = Math.hypot(...before) || 1;
  for (let i = 0; i < 3; i++) before[i] /= length;
  return before;
}

/** As seen from the front: x to the right, y up, z towards the eye. */
function turn([x, y, z]) {
  if (d === 2) {
    turned.set([x, y, 0]);
    return turned;
  }
  const [along, away] = [
    x * Math.cos(yaw) - y * Math.sin(yaw),
    x * Math.sin(yaw) + y * Math.cos(yaw),
  ];
  turned[0] = along;
  turned[1] = z * Math.cos(pitch) + away * Math.sin(pitch);
  turned[2] = z * Math.sin(pitch) - away * Math.cos(pitch);
  return turned;
}

const hues = Array.from({ length: shown }, (_, particle) => {
  place(0, particle, before);
  return Math.round((Math.atan2(before[1], before[0]) * 180) / Math.PI + 360) % 360;
});

function draw() {
  const scale = window.devicePixelRatio || 1;
  const size = canvas.clientWidth;
  if (canvas.width !== Math.round(size * scale)) {
    canvas.width = Math.round(size * scale);
    canvas.height = canvas.width;
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, size, size);
  const [middle, radius] = [size / 2, size * radiusOf];
  context.strokeStyle = '#c8ccd0';
  context.beginPath();
  context.arc(middle, middle, radius, 0, 2 * Math.PI);
  context.stroke();
  const dot = Math.max(1.5, Math.min(5, 120 / Math.sqrt(shown)));
  for (const isFront of d === 3 ? [false, true] : [true]) {
    for (let particle = 0; particle < shown; particle++) {
      const [x, y, z] = turn(interpolated(particle));
      if (d === 3 && z > 0 !== isFront) continue;
      context.fillStyle = `hsl(${hues[particle]} 65% ${isFront ? 42 : 78}%)`;
      context.beginPath();
      context.arc(
        middle + radius * x,
        middle - radius * y,
        isFront ? dot : dot * 0.8,
        0,
        2 * Math.PI,
      );
      context.fill();
    }
  }
  const at = Math.round(frame);
  facts.time.textContent = times[at].toPrecision(4);
  facts.clusters.textContent = data.clusters[at];
  facts.inner.textContent = data.meanInnerProduct[at].toFixed(4);
  facts.energy.textContent =
    data.energy[at] === null ? 'beyond float64' : data.energy[at].toPrecision(5);
  slider.value = frame;
  slider.setAttribute('aria-valuetext', `t = ${times[at].toPrecision(4)}`);
}

function lookFrom(newYaw, newPitch) {
  yaw = newYaw;
  pitch = Math.min(Math.PI / 2, Math.max(-Math.PI / 2, newPitch));
  draw();
}

function show(to) {
  frame = Math.min(Math.max(to, 0), times.length - 1);
  draw();
}

function play(on) {
  isPlaying = on && times.length > 1;
  button.textContent = isPlaying ? 'Pause' : 'Play';
  if (!isPlaying) return;
  if (frame >= times.length - 1) frame = 0;
  let last = performance.now();
  requestAnimationFrame(function advance(now) {
    if (!isPlaying) return;
    show(frame + ((now - last) / 1000 / seconds) * (times.length - 1));
    last = now;
    if (frame >= times.length - 1) play(false);
    else requestAnimationFrame(advance);
  });
}

slider.max = times.length - 1;
slider.addEventListener('input', () => {
  play(false);
  show(Number(slider.value));
});
button.addEventListener('click', () => play(!isPlaying));
window.addEventListener('resize', draw);
document.addEventListener('keydown', (event) => {
  const { key, target } = event;
  if (target === slider || target === button) return;
  if (d === 3 && target === canvas && key !== ' ') return;
  if (key === ' ') {
    event.preventDefault(); // the page stays where it is
    play(!isPlaying);
  } else if (key === 'ArrowRight') show(Math.round(frame) + 1);
  else if (key === 'ArrowLeft') show(Math.round(frame) - 1);
});
if (d === 3) {
  const turns = {
    ArrowLeft: [-turnOfKey, 0],
    ArrowRight: [turnOfKey, 0],
    ArrowUp: [0, -turnOfKey],
    ArrowDown: [0, turnOfKey],
  };
  canvas.addEventListener('keydown', (event) => {
    const { key, altKey, ctrlKey, metaKey } = event;
    if (!Object.hasOwn(turns, key) || altKey || ctrlKey || metaKey) return;
    event.preventDefault();
    lookFrom(yaw + turns[key][0], pitch + turns[key][1]);
  });
  let grabbed;
  canvas.addEventListener('pointerdown', (event) => {
    grabbed = [event.clientX, event.clientY, yaw, pitch];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!grabbed) return;
    const reach = canvas.clientWidth * radiusOf;
    const [x, y, fromYaw, fromPitch] = grabbed;
    lookFrom(fromYaw + (event.clientX - x) / reach, fromPitch + (event.clientY - y) / reach);
  });
  for (const end of ['pointerup', 'pointercancel']) {
    canvas.addEventListener(end, () => {
      grabbed = undefined;
    });
  }
}
show(0);
