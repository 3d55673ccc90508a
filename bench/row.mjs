import { addon } from './addon.mjs';

const fine = (value) => (value === null ? null : Number(value.toPrecision(4)));

/**
 * One row of results. `amount` is the work of one repetition in `unit`·ms (texts/s: 1000 × texts; GFLOP/s:
 * FLOP / 10⁶), so that a figure is amount / milliseconds and a ratio above 1 means that Heddle is faster.
 */
export function row({
  name,
  kase,
  shape,
  threads,
  dtype = 'float32',
  unit,
  amount,
  result,
  peer,
  more,
}) {
  const heddle = amount / result.ours;
  const theirs = result.theirs === null ? null : amount / result.theirs;
  return {
    name,
    case: kase,
    ...(shape === undefined ? {} : { shape }),
    heddle: fine(heddle),
    peer: fine(theirs),
    peerName: peer.name,
    ...(peer.reason === undefined ? {} : { reason: peer.reason }),
    ratio: theirs === null ? null : fine(heddle / theirs),
    ...(result.best === undefined ? {} : { bestRatio: fine(result.best) }),
    unit,
    threads,
    dtype,
    isa: addon().info().isa,
    runs: result.runs,
    spread: fine(result.spread),
    ...more,
  };
}
