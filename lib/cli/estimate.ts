import type { CAC } from 'cac';
import { optimizerNames, recomputations } from '../analysis/workload.js';
import { HeddleError, mismatch } from '../errors.js';
import { weightDTypes } from '../graph/parameters.js';
import { type Estimate, estimate, mostLayers, type Workload } from '../tasks/estimate.js';
import {
  estimateSource,
  type PlainSizes,
  plainConfig,
  readMachine,
} from '../tasks/estimate_source.js';
import { written } from './arguments.js';
import { estimateTable } from './estimate_table.js';
import { choice, count, printJson, printLine } from './output.js';

const sizes = {
  layers: 'Layers of a model without a config.json',
  hidden: 'Its width',
  heads: 'Its heads of attention',
  vocabulary: 'Its words',
  'key-heads': 'Its heads of keys and values: makes it a Llama, else it is a GPT-2',
  intermediate: 'Its width inside feed-forward networks (default: 4 times the width)',
  positions: 'Its positions (default: 2048)',
} as const;

export function registerEstimate(cli: CAC): void {
  const command = cli.command(
    'estimate [source]',
    'What a model costs: parameters, FLOPs, memory, times',
  );
  for (const [name, text] of Object.entries(sizes)) command.option(`--${name} <count>`, text);
  command
    .option('--revision <revision>', 'A commit, branch or tag of a hub id (default: main)')
    .option('--batch <sequences>', 'Sequences of one pass (default: 1)')
    .option('--length <tokens>', 'Tokens of each (default: 512, or the positions there are)')
    .option('--dtype <dtype>', `How weights are kept: ${weightDTypes.join(', ')}`)
    .option('--cache-dtype <dtype>', 'How keys and values are cached: float32, bfloat16, int8')
    .option('--tokens <tokens>', 'Training data, such as 300B (default: Chinchilla-optimal)')
    .option('--optimizer <name>', `${optimizerNames.join(', ')} (default: adamW)`)
    .option('--recompute <what>', `Activations made again: ${recomputations.join(', ')}`)
    .option('--zero <stage>', 'ZeRO stage, 0 to 3')
    .option('--devices <count>', 'Devices in all (default: those of one replica)')
    .option('--tensor-parallel <count>', 'Devices that share each layer')
    .option('--pipeline-parallel <count>', 'Stages of layers')
    .option('--interleave <count>', 'Chunks of layers of each stage (default: 1)')
    .option('--sequence-parallel', 'Divide norms and dropout by position, too')
    .option('--machine <file>', 'One device: what `heddle bench machine` printed, or a100, h100')
    .option('--utilization <share>', "Of the machine's FLOP/s that training reaches (default: 0.4)")
    .option('--price <amount>', 'Of a device for an hour')
    .option('--plot <file>', 'Draw the budget as SVG')
    .option('--json', 'One JSON document: {"parameters", "flops", "memory", …}')
    .example('heddle estimate HuggingFaceTB/SmolLM2-135M --batch 4 --length 1024')
    .example(
      'heddle estimate --layers 96 --hidden 12288 --heads 96 --vocabulary 50257 --tokens 300B',
    )
    .action(async (source: unknown, options: Record<string, unknown>) => {
      const found = await estimated(source, options);
      if (options.plot !== undefined) {
        const [{ writePlot }, { budgetPlot }] = await Promise.all([
          import('./plot_svg.js'),
          import('./estimate_plot.js'),
        ]);
        await writePlot(String(options.plot), budgetPlot(found));
      }
      if (options.json) printJson(found);
      else printLine(estimateTable(found));
    });
}

async function estimated(source: unknown, options: Record<string, unknown>): Promise<Estimate> {
  const workload = await workloadOf(options);
  const plain = plainSizes(options);
  if (source === undefined && plain) return estimate(plainConfig(plain), workload);
  if (source === undefined || plain) {
    const found = plain ? 'both' : 'neither';
    throw new HeddleError(
      'ERR_ARGUMENT',
      `estimate: expected a config.json, a folder or a hub id, or --layers, --hidden, --heads and --vocabulary; found ${found}`,
    );
  }
  const revision = options.revision === undefined ? undefined : written('revision');
  return estimateSource(String(source), workload, { revision });
}

function plainSizes(options: Record<string, unknown>): PlainSizes | undefined {
  const given = {
    layers: count('layers', options.layers),
    hidden: count('hidden', options.hidden),
    heads: count('heads', options.heads),
    vocabulary: count('vocabulary', options.vocabulary),
    keyHeads: count('key-heads', options.keyHeads),
    intermediate: count('intermediate', options.intermediate),
    positions: count('positions', options.positions),
  };
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  if (present.length === 0) return undefined;
  for (const name of ['layers', 'hidden', 'heads', 'vocabulary'] as const) {
    if (given[name] !== undefined) continue;
    throw new HeddleError('ERR_ARGUMENT', `--${name}: expected a whole number from 1, found none`);
  }
  const { layers = 1, hidden = 1, heads = 1, keyHeads = 1 } = given;
  const fits: readonly (readonly [name: string, isFitting: boolean, expected: string])[] = [
    ['layers', layers <= mostLayers, `at most ${mostLayers}`],
    ['heads', hidden % heads === 0, `a divisor of --hidden, ${hidden}`],
    ['key-heads', heads % keyHeads === 0, `a divisor of --heads, ${heads}`],
  ];
  for (const [name, isFitting, expected] of fits) {
    if (isFitting) continue;
    const found = String(options[name === 'key-heads' ? 'keyHeads' : name]);
    throw mismatch('ERR_ARGUMENT', `--${name}`, expected, found);
  }
  return Object.fromEntries(present) as unknown as PlainSizes;
}

async function workloadOf(options: Record<string, unknown>): Promise<Workload> {
  const optimizer = String(options.optimizer ?? '').toLowerCase();
  const given = {
    batch: count('batch', options.batch),
    length: count('length', options.length),
    dtype: choice('dtype', options.dtype, weightDTypes),
    cacheDtype: choice('cache-dtype', options.cacheDtype, ['float32', 'bfloat16', 'int8']),
    tokens: amount('tokens', options.tokens),
    optimizer: choice(
      'optimizer',
      optimizerNames.find((name) => name.toLowerCase() === optimizer) ?? options.optimizer,
      optimizerNames,
    ),
    recompute: choice('recompute', options.recompute, recomputations),
    zero: stage(options.zero),
    devices: count('devices', options.devices),
    tensorParallel: count('tensor-parallel', options.tensorParallel),
    pipelineParallel: count('pipeline-parallel', options.pipelineParallel),
    interleave: count('interleave', options.interleave),
    sequenceParallel: options.sequenceParallel === undefined ? undefined : true,
    utilization: amount('utilization', options.utilization),
    price: amount('price', options.price),
    machine: options.machine === undefined ? undefined : await readMachine(String(options.machine)),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function stage(value: unknown): 0 | 1 | 2 | 3 | undefined {
  const found = ([0, 1, 2, 3] as const).find((each) => each === value);
  if (found !== undefined || value === undefined) return found;
  throw new HeddleError('ERR_ARGUMENT', `--zero: expected a stage from 0 to 3, found '${value}'`);
}

const units: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, b: 1e9, t: 1e12 };

/** A number, perhaps of thousands (K), millions (M), billions (B) or trillions (T). */
function amount(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const [, digits, unit = ''] =
    /^(\d+(?:\.\d*)?(?:e[+-]?\d+)?)([kmbt]?)$/i.exec(String(value)) ?? [];
  const number = Number(digits) * (units[unit.toLowerCase()] ?? Number.NaN);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new HeddleError(
    'ERR_ARGUMENT',
    `--${name}: expected a number above 0, such as 0.5, 1e9 or 300B, found '${value}'`,
  );
}
