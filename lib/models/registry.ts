import { HeddleError } from '../errors.js';
import { albert } from './albert.js';
import { bert } from './bert.js';
import { debertaV2 } from './deberta_v2.js';
import { distilbert } from './distilbert.js';
import { electra } from './electra.js';
import type { Build, Family, HeadKind } from './family.js';
import { modernbert } from './modernbert.js';
import { mpnet } from './mpnet.js';
import { roberta } from './roberta.js';

export interface Architecture {
  readonly kind: 'encoder';
  /** First part of the names of the tensors below the head, which some checkpoints leave out. */
  readonly prefix: string;
  readonly build: Build;
}

/** What Hugging Face puts behind a family's name for each head. */
const suffixes: Readonly<Record<HeadKind, string>> = {
  base: 'Model',
  maskedLm: 'ForMaskedLM',
  sequenceClassification: 'ForSequenceClassification',
  tokenClassification: 'ForTokenClassification',
  questionAnswering: 'ForQuestionAnswering',
  multipleChoice: 'ForMultipleChoice',
  preTraining: 'ForPreTraining',
};

/** Every family that Heddle runs: its name in architectures, its `model_type`. The only place that knows these names. */
const families: readonly { name: string; type: string; prefix: string; family: Family }[] = [
  { name: 'Bert', type: 'bert', prefix: 'bert', family: bert },
  { name: 'Roberta', type: 'roberta', prefix: 'roberta', family: roberta },
  { name: 'XLMRoberta', type: 'xlm-roberta', prefix: 'roberta', family: roberta },
  { name: 'DistilBert', type: 'distilbert', prefix: 'distilbert', family: distilbert },
  { name: 'MPNet', type: 'mpnet', prefix: 'mpnet', family: mpnet },
  { name: 'Electra', type: 'electra', prefix: 'electra', family: electra },
  { name: 'Albert', type: 'albert', prefix: 'albert', family: albert },
  { name: 'DebertaV2', type: 'deberta-v2', prefix: 'deberta', family: debertaV2 },
  { name: 'ModernBert', type: 'modernbert', prefix: 'model', family: modernbert },
];

const architectures: ReadonlyMap<string, Architecture> = new Map(
  families.flatMap(({ name, prefix, family }) =>
    Object.entries(family).map(([kind, build]): [string, Architecture] => [
      `${name}${suffixes[kind as HeadKind]}`,
      { kind: 'encoder', prefix, build },
    ]),
  ),
);

/** Whether an architecture has the head of a kind. */
export const hasHead = (architecture: string, kind: HeadKind): boolean =>
  architecture.endsWith(suffixes[kind]);

/** The base architecture of a `model_type`, for a config.json that names no architecture. */
const baseOfType: ReadonlyMap<string | undefined, string> = new Map(
  families.map(({ name, type }) => [type, `${name}${suffixes.base}`]),
);

/** The architecture a config.json names. Throws ERR_UNSUPPORTED with the list of those there are. */
export function architectureOf(
  names: readonly string[],
  modelType: string | undefined,
): { name: string; architecture: Architecture } {
  const name = names[0] ?? baseOfType.get(modelType);
  const architecture = name === undefined ? undefined : architectures.get(name);
  if (name !== undefined && architecture) return { name, architecture };
  throw new HeddleError(
    'ERR_UNSUPPORTED',
    `config.json: expected one of the architectures ${[...architectures.keys()].join(', ')}; found ` +
      `${name ?? `none, and model_type ${modelType ?? 'none'}`}`,
    { where: 'architectures', found: name ?? 'none' },
  );
}
