// What the scripts of several pages are preceded by.
// biome-ignore-all lint/correctness/noUnusedVariables: the scripts that follow use them
const element = (id) => document.getElementById(id);
const make = (tag, properties, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

const stops = [
  [255, 255, 255],
  [207, 232, 220],
  [95, 176, 143],
  [11, 110, 79],
  [4, 40, 29],
];
/** Red, green and blue of a share, 0 … 1: darker for more. */
function shadeOf(share) {
  const at = share * (stops.length - 1);
  const from = Math.min(stops.length - 2, Math.floor(at));
  return stops[from].map((x, channel) => x + (at - from) * (stops[from + 1][channel] - x));
}
