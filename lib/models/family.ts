import type { Scope } from '../layers/scope.js';
import type { Encoder, EncoderTop, Pooler } from './encoder.js';
import { MultipleChoice, QuestionAnswering, SequenceClassifier, TokenClassifier } from './heads.js';
import type { ModelConfig } from './model_config.js';

/** Makes a whole model from its config.json and the parameters at the root of its checkpoint. */
export type Build = (source: ModelConfig, scope: Scope) => Encoder;

/** The heads that Hugging Face gives every family of encoders, those that some have besides, and that of decoders. */
export type HeadKind =
  | 'base'
  | 'maskedLm'
  | 'sequenceClassification'
  | 'tokenClassification'
  | 'questionAnswering'
  | 'multipleChoice'
  | 'preTraining'
  | 'causalLm';

/** One family: `build[kind]` makes its model with the head of that kind. */
export type Family = Readonly<Partial<Record<HeadKind, Build>>>;

/**
 * Puts a family together.
 * @param parts.config reads its config.json. @param parts.encoder makes the layers, given what stands on top of them.
 * @param parts.heads what stands on top, for each kind; `scope` is the root of the checkpoint.
 */
export function family<C>(parts: {
  config: (source: ModelConfig) => C;
  encoder: (config: C, scope: Scope, top: EncoderTop) => Encoder;
  heads: Readonly<Partial<Record<HeadKind, (config: C, scope: Scope) => EncoderTop>>>;
}): Family {
  const builds = Object.entries(parts.heads).map(([kind, top]): [string, Build] => [
    kind,
    (source, scope) => {
      const config = parts.config(source);
      return parts.encoder(config, scope, top(config, scope));
    },
  ]);
  return Object.fromEntries(builds);
}

/** The two heads that are one projection of each token, under the names that most families share. */
export const tokenHeads = {
  tokenClassification: (config: { hiddenSize: number; labels: number }, scope: Scope) => ({
    head: new TokenClassifier(config.hiddenSize, config.labels, scope.at('classifier')),
  }),
  questionAnswering: (config: { hiddenSize: number }, scope: Scope) => ({
    head: new QuestionAnswering(config.hiddenSize, scope.at('qa_outputs')),
  }),
};

/** The two heads that read each sequence's pooled vector, under the name that most families share. */
export const pooledHeads = <C extends { hiddenSize: number; labels: number }>(
  pooler: (config: C, scope: Scope) => Pooler,
) => ({
  sequenceClassification: (config: C, scope: Scope) => {
    const { hiddenSize, labels } = config;
    const output = scope.at('classifier');
    return { head: new SequenceClassifier(pooler(config, scope), hiddenSize, labels, output) };
  },
  multipleChoice: (config: C, scope: Scope) => {
    const output = scope.at('classifier');
    return { head: new MultipleChoice(pooler(config, scope), config.hiddenSize, output) };
  },
});
