import { HeddleError } from '../errors.js';
import type { Activation } from '../ops/index.js';

/** The typed reader of config.json that models are given; lib/checkpoints/config.ts implements it. */
export interface ModelConfig {
  /** Throws ERR_CONFIG where the field is missing without a default, or is not such a number. */
  integer(
    name: string,
    options?: { min?: number; max?: number; default?: number; aliases?: readonly string[] },
  ): number;
  number(
    name: string,
    options?: { min?: number; default?: number; aliases?: readonly string[] },
  ): number;
  string(name: string, options?: { default?: string; aliases?: readonly string[] }): string;
  /** Whether the field is there and not null. */
  has(name: string, aliases?: readonly string[]): boolean;
  boolean(name: string, options?: { default?: boolean; aliases?: readonly string[] }): boolean;
  stringList(name: string, options?: { default?: readonly string[] }): readonly string[];
  /** A list of strings, or one alone. */
  stringOrList(name: string, options?: { default?: readonly string[] }): readonly string[];
  numberList(name: string, options?: { default?: readonly number[] }): readonly number[];
  /** An object inside; undefined where it is absent. */
  section(name: string): ModelConfig | undefined;
  /** How many classes a classifier has: `id2label`, else `num_labels`, else 2. */
  labelCount(): number;
}

const activationNames: Readonly<Record<string, Activation>> = {
  gelu: 'gelu',
  gelu_new: 'geluTanh',
  gelu_pytorch_tanh: 'geluTanh',
  gelu_fast: 'geluTanh',
  quick_gelu: 'quickGelu',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
  tanh: 'tanh',
  sigmoid: 'sigmoid',
  linear: 'none',
};

/** An activation by its name in Hugging Face configs (transformers' ACT2FN). */
export function activationOf(name: string, field: string): Activation {
  const activation = Object.hasOwn(activationNames, name) ? activationNames[name] : undefined;
  if (activation) return activation;
  throw new HeddleError(
    'ERR_UNSUPPORTED',
    `config.json: ${field}: expected one of ${Object.keys(activationNames).join(', ')}, found '${name}'`,
    { where: field, found: name },
  );
}

/** The fields that BERT's config.json and those modelled on it share. */
export function encoderFields(config: ModelConfig) {
  return {
    vocabSize: config.integer('vocab_size', { min: 1 }),
    hiddenSize: config.integer('hidden_size', { min: 1 }),
    numLayers: config.integer('num_hidden_layers', { min: 0 }),
    numHeads: config.integer('num_attention_heads', { min: 1 }),
    intermediateSize: config.integer('intermediate_size', { min: 1 }),
    activation: activationOf(config.string('hidden_act', { default: 'gelu' }), 'hidden_act'),
    epsilon: config.number('layer_norm_eps', { min: 0, default: 1e-12 }),
    maxPositions: config.integer('max_position_embeddings', { min: 1 }),
    tied: config.boolean('tie_word_embeddings', { default: true }),
    labels: config.labelCount(),
  };
}
