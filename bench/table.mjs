/** A result document as text. */
export function table({ machine, runs, results }) {
  const head = [
    'name',
    'case',
    'threads',
    'dtype',
    'isa',
    'heddle',
    'peer',
    'unit',
    'ratio',
    'spread',
    '',
  ];
  const rows = results.map((row) => [
    row.name,
    row.case,
    String(row.threads),
    row.dtype ?? '',
    row.isa,
    figure(row.heddle),
    figure(row.peer),
    row.unit,
    row.ratio === null ? '–' : `${row.ratio.toFixed(2)}×`,
    `±${(50 * row.spread).toFixed(0)} %`,
    [row.peerName, row.reason].filter(Boolean).join(': '),
  ]);
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i].length)));
  const line = (row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd();
  const { cpu, cores, isa, node, os, commit, command } = machine;
  return [
    `${cpu}, ${cores} cores, ${isa}; Node ${node}, ${os}; commit ${commit}`,
    `${command}`,
    ...runs.map((run) => `${run.name}: ${quietness(run)}`),
    '',
    line(head),
    ...rows.map(line),
  ].join('\n');
}

/** How quiet the machine was during one bench, in words. */
export function quietness({ seconds, load, others, stolen }) {
  const percent = (share) => `${(100 * share).toFixed(0)} %`;
  const shares = others === null ? [] : [`other processes used ${percent(others)} of the CPU`];
  if (stolen > 0.005) shares.push(`the hypervisor ${percent(stolen)}`);
  return [`${seconds.toFixed(0)} s`, `load ${load.toFixed(1)} before`, ...shares].join(', ');
}

function figure(value) {
  if (value === null) return '–';
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
