/** The picture of a run of particles: what is measured, over time. */
import type { TopLevelSpec } from 'vega-lite';
import type { ParticleRun } from '../analysis/particles/particles.js';

const width = 420;
const height = 110;

export function runPlot(run: ParticleRun, subtitle: string): TopLevelSpec {
  const { times, clusters, meanInnerProduct, energy } = run;
  const values = times.map((time, i) => ({
    time,
    clusters: clusters[i],
    inner: meanInnerProduct[i],
    energy: Number.isFinite(energy[i]) ? energy[i] : null,
  }));
  const panel = (field: string, title: string, more: object, isLast: boolean): object => ({
    width,
    height,
    mark: {
      type: 'line',
      color: '#0b6e4f',
      strokeWidth: 2,
      ...(field === 'clusters' ? { interpolate: 'step' } : {}),
    },
    encoding: {
      x: {
        field: 'time',
        type: 'quantitative',
        title: isLast ? 'time' : null,
        axis: { grid: false, labels: isLast },
      },
      y: {
        field,
        type: 'quantitative',
        title,
        axis: { tickCount: 3 },
        scale: { zero: false },
        ...more,
      },
    },
  });
  const one = { domainMin: 0 };
  return {
    title: { text: 'Tokens as interacting particles', subtitle },
    data: { values },
    vconcat: [
      panel(
        'clusters',
        'clusters',
        { scale: clusters.some((count) => count > 20) ? { type: 'log', nice: false } : one },
        false,
      ),
      panel('inner', 'mean ⟨x, x′⟩', {}, false),
      panel('energy', 'energy', {}, true),
    ],
  } as TopLevelSpec;
}
