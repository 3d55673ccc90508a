/** A result document as text. */
export function table({ machine, results }) {
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
    row.dtype,
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
    '',
    line(head),
    ...rows.map(line),
  ].join('\n');
}

function figure(value) {
  if (value === null) return '–';
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
