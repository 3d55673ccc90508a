/** @huggingface/transformers' ways to open a model by itself. */
import type { HeadKind } from '../models/family.js';
import { hasHead } from '../models/registry.js';
import { expectHead } from './labels.js';
import { loadEncoder } from './load.js';
import type { EncoderModel } from './model.js';
import { locateModel } from './pipeline_env.js';
import { type PretrainedModel, pretrainedModel } from './pretrained_model.js';
import { loadOptionsOf, type PretrainedOptions } from './pretrained_options.js';
import { pretrainedTokenizer } from './pretrained_tokenizer.js';

export interface AutoModelClass {
  /**
   * Opens a model that can be called.
   * @param source as `load` takes it, or under `env.localModelPath`.
   * @throws what `load` throws; ERR_UNSUPPORTED where the checkpoint does not have the class's head.
   */
  from_pretrained(source: string, options?: PretrainedOptions): Promise<PretrainedModel>;
}

/** Calls give the last hidden state, the pooler's output, and the logits of a head, unless those are of words. */
export const AutoModel = autoModel('AutoModel');
/** Calls of these give what the head does. */
export const AutoModelForSequenceClassification = autoModel(
  'AutoModelForSequenceClassification',
  'sequenceClassification',
);
export const AutoModelForTokenClassification = autoModel(
  'AutoModelForTokenClassification',
  'tokenClassification',
);
export const AutoModelForQuestionAnswering = autoModel(
  'AutoModelForQuestionAnswering',
  'questionAnswering',
);
export const AutoModelForMaskedLM = autoModel('AutoModelForMaskedLM', 'maskedLm');

function autoModel(name: string, head?: HeadKind): AutoModelClass {
  return {
    async from_pretrained(source, options = {}) {
      const settings = loadOptionsOf(name, source, options);
      const core = await loadEncoder(locateModel(source), settings);
      try {
        if (head) expectHead(core, name, head);
      } catch (error) {
        core.dispose();
        throw error;
      }
      const tokenizer = core.tokenizer && pretrainedTokenizer(core.tokenizer);
      return pretrainedModel(core, head ? callOutputs(core) : allOutputs(core), tokenizer);
    },
  };
}

/** What a model's head gives, or what there is of a model without one. */
export function callOutputs(core: EncoderModel): readonly string[] {
  const { defaultOutputs } = core.encoder;
  return defaultOutputs.includes('lastHiddenState') ? allOutputs(core) : defaultOutputs;
}

function allOutputs({ encoder, architecture }: EncoderModel): readonly string[] {
  const pooled = encoder.outputNames.filter((name) => name === 'pooled');
  // Scores of every word in every place are most of the work of a call, and seldom wanted from here.
  const isOfWords = hasHead(architecture, 'maskedLm') || hasHead(architecture, 'preTraining');
  return [...new Set(['lastHiddenState', ...pooled, ...(isOfWords ? [] : encoder.defaultOutputs)])];
}
