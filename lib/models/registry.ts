import { HeddleError } from '../errors.js';
import type { Scope } from '../layers/scope.js';
import {
  bertForMaskedLm,
  bertForSequenceClassification,
  bertForTokenClassification,
  bertModel,
} from './bert.js';
import {
  distilBertForMaskedLm,
  distilBertForSequenceClassification,
  distilBertForTokenClassification,
  distilBertModel,
} from './distilbert.js';
import type { Encoder } from './encoder.js';
import type { ModelConfig } from './model_config.js';
import {
  mpnetForMaskedLm,
  mpnetForSequenceClassification,
  mpnetForTokenClassification,
  mpnetModel,
} from './mpnet.js';
import {
  robertaForMaskedLm,
  robertaForSequenceClassification,
  robertaForTokenClassification,
  robertaModel,
} from './roberta.js';

export interface Architecture {
  readonly kind: 'encoder';
  /** First part of the names of the tensors below the head, which some checkpoints leave out. */
  readonly prefix: string;
  build(config: ModelConfig, scope: Scope): Encoder;
}

const bert = { kind: 'encoder', prefix: 'bert' } as const;
const roberta = { kind: 'encoder', prefix: 'roberta' } as const;
const distilbert = { kind: 'encoder', prefix: 'distilbert' } as const;
const mpnet = { kind: 'encoder', prefix: 'mpnet' } as const;

/** Every architecture that Heddle runs, by the name in config.json. The only place that knows these names. */
const architectures: Readonly<Record<string, Architecture>> = {
  BertModel: { ...bert, build: bertModel },
  BertForMaskedLM: { ...bert, build: bertForMaskedLm },
  BertForSequenceClassification: { ...bert, build: bertForSequenceClassification },
  BertForTokenClassification: { ...bert, build: bertForTokenClassification },
  RobertaModel: { ...roberta, build: robertaModel },
  RobertaForMaskedLM: { ...roberta, build: robertaForMaskedLm },
  RobertaForSequenceClassification: { ...roberta, build: robertaForSequenceClassification },
  RobertaForTokenClassification: { ...roberta, build: robertaForTokenClassification },
  DistilBertModel: { ...distilbert, build: distilBertModel },
  DistilBertForMaskedLM: { ...distilbert, build: distilBertForMaskedLm },
  DistilBertForSequenceClassification: {
    ...distilbert,
    build: distilBertForSequenceClassification,
  },
  DistilBertForTokenClassification: { ...distilbert, build: distilBertForTokenClassification },
  MPNetModel: { ...mpnet, build: mpnetModel },
  MPNetForMaskedLM: { ...mpnet, build: mpnetForMaskedLm },
  MPNetForSequenceClassification: { ...mpnet, build: mpnetForSequenceClassification },
  MPNetForTokenClassification: { ...mpnet, build: mpnetForTokenClassification },
};

/** The base architecture of a `model_type`, for a config.json that names no architecture. */
const baseOfType: Readonly<Record<string, string>> = {
  bert: 'BertModel',
  roberta: 'RobertaModel',
  distilbert: 'DistilBertModel',
  mpnet: 'MPNetModel',
};

/** The architecture a config.json names. Throws ERR_UNSUPPORTED with the list of those there are. */
export function architectureOf(
  names: readonly string[],
  modelType: string | undefined,
): { name: string; architecture: Architecture } {
  const base =
    modelType !== undefined && Object.hasOwn(baseOfType, modelType)
      ? baseOfType[modelType]
      : undefined;
  const name = names[0] ?? base;
  if (name !== undefined && Object.hasOwn(architectures, name)) {
    return { name, architecture: architectures[name] as Architecture };
  }
  throw new HeddleError(
    'ERR_UNSUPPORTED',
    `config.json: expected one of the architectures ${Object.keys(architectures).join(', ')}; found ` +
      `${name ?? `none, and model_type ${modelType ?? 'none'}`}`,
    { where: 'architectures', found: name ?? 'none' },
  );
}
