import { HeddleError, mismatch } from '../errors.js';
import { albert } from './albert.js';
import { bert } from './bert.js';
import { debertaV2 } from './deberta_v2.js';
import { distilbert } from './distilbert.js';
import { electra } from './electra.js';
import { falcon } from './falcon.js';
import type { Build, Family, HeadKind } from './family.js';
import { gemma2, gemma2Period } from './gemma2.js';
import { gemma3, gemma3Period } from './gemma3.js';
import { gptNeox } from './gpt_neox.js';
import { gpt2 } from './gpt2.js';
import { granite } from './granite.js';
import { llama } from './llama.js';
import { mistral } from './mistral.js';
import { mixtral } from './mixtral.js';
import type { ModelConfig } from './model_config.js';
import { modernbert } from './modernbert.js';
import { mpnet } from './mpnet.js';
import { olmo2 } from './olmo2.js';
import { phi } from './phi.js';
import { phi3 } from './phi3.js';
import { qwenPeriod } from './qwen_window.js';
import { qwen2 } from './qwen2.js';
import { qwen3 } from './qwen3.js';
import { qwen3Moe, qwen3MoePeriod } from './qwen3_moe.js';
import { roberta } from './roberta.js';
import { smollm3, smollm3Period } from './smollm3.js';
import { stableLm } from './stablelm.js';
import { starcoder2 } from './starcoder2.js';

export interface Architecture {
  readonly kind: 'encoder' | 'decoder';
  /** First part of the names of the tensors below the head, which some checkpoints leave out. */
  readonly prefix: string;
  readonly build: Build;
  readonly period: Period;
}

/** After how many layers they begin anew, where config.json does not list their kinds. All layers of most families are alike. */
export type Period = (config: ModelConfig) => number;

/** Where layers share parameters, or one is unlike all others, the way back through a few of them is no part of that through many. */
const none: Period = () => Infinity;

/** What Hugging Face puts behind a family's name for each head. */
const suffixes: Readonly<Record<HeadKind, string>> = {
  base: 'Model',
  maskedLm: 'ForMaskedLM',
  sequenceClassification: 'ForSequenceClassification',
  tokenClassification: 'ForTokenClassification',
  questionAnswering: 'ForQuestionAnswering',
  multipleChoice: 'ForMultipleChoice',
  preTraining: 'ForPreTraining',
  causalLm: 'ForCausalLM',
};

/** Every family that Heddle runs: its name in architectures, its `model_type`. The only place that knows these names. */
const families: readonly {
  name: string;
  type: string;
  prefix: string;
  family: Family;
  period?: Period;
  /** Architectures whose names are not made of the family's. */
  names?: Partial<Record<HeadKind, string>>;
}[] = [
  { name: 'Bert', type: 'bert', prefix: 'bert', family: bert },
  { name: 'Roberta', type: 'roberta', prefix: 'roberta', family: roberta },
  { name: 'XLMRoberta', type: 'xlm-roberta', prefix: 'roberta', family: roberta },
  { name: 'DistilBert', type: 'distilbert', prefix: 'distilbert', family: distilbert },
  { name: 'MPNet', type: 'mpnet', prefix: 'mpnet', family: mpnet, period: none },
  { name: 'Electra', type: 'electra', prefix: 'electra', family: electra },
  { name: 'Albert', type: 'albert', prefix: 'albert', family: albert, period: none },
  {
    name: 'DebertaV2',
    type: 'deberta-v2',
    prefix: 'deberta',
    family: debertaV2,
    period: none,
  },
  {
    name: 'ModernBert',
    type: 'modernbert',
    prefix: 'model',
    family: modernbert,
    period: none,
  },
  {
    name: 'GPT2',
    type: 'gpt2',
    prefix: 'transformer',
    family: gpt2,
    names: { causalLm: 'GPT2LMHeadModel' },
  },
  { name: 'GPTNeoX', type: 'gpt_neox', prefix: 'gpt_neox', family: gptNeox },
  { name: 'Llama', type: 'llama', prefix: 'model', family: llama },
  { name: 'Mistral', type: 'mistral', prefix: 'model', family: mistral },
  { name: 'Qwen2', type: 'qwen2', prefix: 'model', family: qwen2, period: qwenPeriod },
  { name: 'Qwen3', type: 'qwen3', prefix: 'model', family: qwen3, period: qwenPeriod },
  { name: 'Gemma2', type: 'gemma2', prefix: 'model', family: gemma2, period: gemma2Period },
  {
    name: 'Gemma3',
    type: 'gemma3_text',
    prefix: 'model',
    family: gemma3,
    period: gemma3Period,
    names: { base: 'Gemma3TextModel' },
  },
  { name: 'Granite', type: 'granite', prefix: 'model', family: granite },
  { name: 'Phi', type: 'phi', prefix: 'model', family: phi },
  { name: 'Phi3', type: 'phi3', prefix: 'model', family: phi3 },
  { name: 'SmolLM3', type: 'smollm3', prefix: 'model', family: smollm3, period: smollm3Period },
  { name: 'Olmo2', type: 'olmo2', prefix: 'model', family: olmo2 },
  { name: 'Mixtral', type: 'mixtral', prefix: 'model', family: mixtral },
  {
    name: 'Qwen3Moe',
    type: 'qwen3_moe',
    prefix: 'model',
    family: qwen3Moe,
    period: qwen3MoePeriod,
  },
  { name: 'Falcon', type: 'falcon', prefix: 'transformer', family: falcon },
  { name: 'StableLm', type: 'stablelm', prefix: 'model', family: stableLm },
  { name: 'Starcoder2', type: 'starcoder2', prefix: 'model', family: starcoder2 },
];

/** What Hugging Face calls a family with a head. */
function nameOf({ name, names }: (typeof families)[number], kind: HeadKind): string {
  return names?.[kind] ?? `${name}${suffixes[kind]}`;
}

const architectures: ReadonlyMap<string, Architecture> = new Map(
  families.flatMap((entry) =>
    Object.entries(entry.family).map(([kind, build]): [string, Architecture] => [
      nameOf(entry, kind as HeadKind),
      {
        kind: entry.family.causalLm ? 'decoder' : 'encoder',
        prefix: entry.prefix,
        build,
        period: entry.period ?? (() => 1),
      },
    ]),
  ),
);

/** Whether an architecture has the head of a kind. */
export const hasHead = (architecture: string, kind: HeadKind): boolean =>
  architecture.endsWith(suffixes[kind]);

/** The architectures with the head of a kind: that of a `model_type`, or of all families where it is none of theirs. */
export function architecturesWith(kind: HeadKind, modelType: unknown): string[] {
  const able = families.filter(({ family }) => family[kind]);
  const own = able.filter(({ type }) => type === modelType);
  return (own.length > 0 ? own : able).map((entry) => nameOf(entry, kind));
}

/** The base architecture of a `model_type`, for a config.json that names no architecture. */
const baseOfType: ReadonlyMap<string | undefined, string> = new Map(
  families.map((entry) => [entry.type, nameOf(entry, 'base')]),
);

/** Whether an architecture is the model alone, without a head. */
export const isHeadless = (architecture: string): boolean =>
  families.some((entry) => nameOf(entry, 'base') === architecture);

/**
 * The classifier of texts over a model that is none yet, whatever other head it has.
 * @throws ERR_UNSUPPORTED for a classifier, and for a family that has none.
 */
export function classifierOver(architecture: string): string {
  const entry = families.find((one) =>
    Object.keys(one.family).some((kind) => nameOf(one, kind as HeadKind) === architecture),
  );
  const name = entry?.family.sequenceClassification && nameOf(entry, 'sequenceClassification');
  if (name !== undefined && name !== architecture) return name;
  const expected = 'an encoder that does not classify yet, such as BertModel';
  throw mismatch('ERR_UNSUPPORTED', 'a new head that classifies', expected, architecture);
}

/** The architecture a config.json names. Throws ERR_UNSUPPORTED with the families there are, or the heads of the family. */
export function architectureOf(
  names: readonly string[],
  modelType: string | undefined,
): { name: string; architecture: Architecture } {
  const name = names[0] ?? baseOfType.get(modelType);
  const architecture = name === undefined ? undefined : architectures.get(name);
  if (name !== undefined && architecture) return { name, architecture };
  const known = families.find((entry) => name?.startsWith(entry.name));
  const heads = known && Object.keys(known.family).map((kind) => nameOf(known, kind as HeadKind));
  const expected = heads
    ? `one of ${heads.join(', ')}`
    : `one of the families ${families.map((entry) => entry.name).join(', ')}`;
  throw new HeddleError(
    'ERR_UNSUPPORTED',
    `config.json: architectures: expected ${expected}; found ` +
      `${name ?? `none, and model_type ${modelType ?? 'none'}`}`,
    { where: 'architectures', expected, found: name ?? 'none' },
  );
}
