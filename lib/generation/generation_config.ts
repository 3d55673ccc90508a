/** What a checkpoint says of how it is to be sampled: generation_config.json, or the same fields in an older config.json. */
import { HeddleError, mismatch } from '../errors.js';
import { describeValue } from '../graph/options.js';
import { type GenerationDefaults, kinds } from './options.js';

/** Names in the file, and here. */
export const fieldNames: Readonly<Record<string, keyof GenerationDefaults>> = {
  max_new_tokens: 'maxNewTokens',
  max_length: 'maxLength',
  min_length: 'minLength',
  min_new_tokens: 'minNewTokens',
  do_sample: 'doSample',
  temperature: 'temperature',
  top_k: 'topK',
  top_p: 'topP',
  min_p: 'minP',
  typical_p: 'typicalP',
  repetition_penalty: 'repetitionPenalty',
  no_repeat_ngram_size: 'noRepeatNgramSize',
  sequence_bias: 'sequenceBias',
  bad_words_ids: 'badWordsIds',
  suppress_tokens: 'suppressTokens',
  begin_suppress_tokens: 'beginSuppressTokens',
  forced_bos_token_id: 'forcedBosTokenId',
  forced_eos_token_id: 'forcedEosTokenId',
  eos_token_id: 'eosTokenId',
  num_beams: 'numBeams',
  length_penalty: 'lengthPenalty',
  early_stopping: 'earlyStopping',
  num_return_sequences: 'numReturnSequences',
};

/** Fields that change what is generated and are not here, with the values that ask for nothing. */
const unsupported: Readonly<Record<string, readonly unknown[]>> = {
  diversity_penalty: [0],
  dola_layers: [],
  encoder_no_repeat_ngram_size: [0],
  encoder_repetition_penalty: [1],
  epsilon_cutoff: [0],
  eta_cutoff: [0],
  exponential_decay_length_penalty: [],
  forced_decoder_ids: [],
  guidance_scale: [1],
  num_beam_groups: [1],
  penalty_alpha: [0],
  top_h: [],
  watermarking_config: [],
};

/**
 * The defaults that a file's fields give. Null counts as left out.
 * @param file named in errors.
 * @throws ERR_CONFIG for a value that is none of the field's; ERR_UNSUPPORTED for a field that asks for what is not here.
 */
export function readGenerationDefaults(
  fields: Readonly<Record<string, unknown>>,
  file: string,
): GenerationDefaults {
  const defaults: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(fields)) {
    if (value === null || value === undefined) continue;
    const where = `${file}: ${field}`;
    if (Object.hasOwn(unsupported, field) && !unsupported[field]!.includes(value)) {
      const found = describeValue(value);
      throw new HeddleError(
        'ERR_UNSUPPORTED',
        `${where}: ${found} is not supported; remove the field`,
        {
          where,
          found,
        },
      );
    }
    const name = Object.hasOwn(fieldNames, field) ? fieldNames[field] : undefined;
    if (name === undefined || isNeutral(name, value)) continue;
    if (!kinds[name].fits(value)) {
      throw mismatch('ERR_CONFIG', where, kinds[name].expected, describeValue(value));
    }
    defaults[name] = value;
  }
  return defaults as GenerationDefaults;
}

/** Lists are written empty where there is nothing in them, and a top_p of 0 by those who sample nothing. */
function isNeutral(name: keyof GenerationDefaults, value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return (name === 'topP' || name === 'typicalP') && value === 0;
}
