/**
 * Where the time of an `embed` call goes: 256 sentences with all-MiniLM-L6-v2, node by node as the engine measures them, layers
 * added up. Beside each its share of the time, its rates, and the share of the roofline (`profile` of the library).
 */
import { load, profile } from '../dist/index.mjs';
import { minilmFolder } from '../scripts/fetch-minilm.mjs';
import { sentences } from './texts.mjs';

export async function bench({ quick, threads, dtype: only, log }) {
  const folder = await minilmFolder();
  const results = [];
  const usual = quick ? ['float32'] : ['float32', 'bfloat16', 'int8'];
  for (const dtype of only ? [only] : usual) {
    const model = await load(folder, { dtype });
    const texts = quick ? sentences.slice(0, 64) : sentences;
    const repeats = quick ? 2 : 6;
    const { isa, ceilings, nodes } = await profile(() => model.embed(texts), { repeats });
    model.dispose();
    for (const { label, op, ms, share, gflop, gb, roofline } of joinLayers(nodes)) {
      const rate = gflop / ms;
      results.push({
        name: 'profile',
        case: `${label}: ${(100 * share).toFixed(1)} % of the time`,
        op,
        heddle: Number(rate.toPrecision(4)),
        peer: null,
        peerName: '',
        ratio: null,
        unit: 'GFLOP/s',
        gbps: Number((gb / ms).toPrecision(4)),
        ceiling: ceilings.gflops,
        bandwidth: ceilings.gbps,
        shareOfCeiling: Number((rate / ceilings.gflops).toPrecision(3)),
        roofline: Number((roofline / ms).toPrecision(3)),
        share: Number(share.toPrecision(4)),
        ms: Number(ms.toPrecision(4)),
        threads,
        dtype,
        isa,
        runs: repeats,
        spread: 0,
      });
    }
    log(dtype);
  }
  return results;
}

/** Nodes that differ in the number of their layer only, added up; the longest first. Work in FLOP and bytes / 10⁶. */
function joinLayers(nodes) {
  const joined = new Map();
  for (const { op, name, ms, share, gflops, gbps, roofline } of nodes) {
    const layer = (name ?? '').replace(/\b\d+\b\.?/g, '').replace(/^.*?layer\./, '');
    const label = layer && layer !== op ? `${op} ${layer}` : op;
    const sum = joined.get(label) ?? { label, op, ms: 0, share: 0, gflop: 0, gb: 0, roofline: 0 };
    joined.set(label, {
      ...sum,
      ms: sum.ms + ms,
      share: sum.share + share,
      gflop: sum.gflop + gflops * ms,
      gb: sum.gb + gbps * ms,
      roofline: sum.roofline + roofline * ms,
    });
  }
  return [...joined.values()].sort((a, b) => b.ms - a.ms);
}
