/** What sentence-transformers calls poolings, and the files by which it knows an embedder's folder. */
import type { PoolingMode } from '../checkpoints/sentence_transformers.js';
import type { Pooling } from '../ops/index.js';
import type { Companions } from './save_model.js';

export const poolingsByMode: Readonly<Record<PoolingMode, Pooling>> = {
  mean: 'mean',
  cls: 'first',
  lasttoken: 'last',
  max: 'max',
  mean_sqrt_len_tokens: 'meanSqrtLength',
  weightedmean: 'weightedMean',
};

/** Flags of 1_Pooling/config.json. */
const flags: Readonly<Record<PoolingMode, string>> = {
  mean: 'pooling_mode_mean_tokens',
  cls: 'pooling_mode_cls_token',
  lasttoken: 'pooling_mode_lasttoken',
  max: 'pooling_mode_max_tokens',
  mean_sqrt_len_tokens: 'pooling_mode_mean_sqrt_len_tokens',
  weightedmean: 'pooling_mode_weightedmean_tokens',
};

/**
 * The files beside an embedder's weights: pooled so, of length 1. `load` and Python's sentence-transformers then make the vectors
 * that were trained.
 * @param of.dimension of the vectors. @param of.maxLength tokens of a text that are read.
 */
export function embedderFiles(of: {
  pooling: Pooling;
  dimension: number;
  maxLength: number;
}): Companions {
  const modules = ['Transformer', 'Pooling', 'Normalize'].map((type, idx) => ({
    idx,
    name: `${idx}`,
    path: idx === 0 ? '' : `${idx}_${type}`,
    type: `sentence_transformers.models.${type}`,
  }));
  const modes = Object.entries(flags) as [PoolingMode, string][];
  const pooling = {
    word_embedding_dimension: of.dimension,
    ...Object.fromEntries(modes.map(([mode, flag]) => [flag, poolingsByMode[mode] === of.pooling])),
  };
  const files = {
    'modules.json': modules,
    'sentence_bert_config.json': { max_seq_length: of.maxLength, do_lower_case: false },
    '1_Pooling/config.json': pooling,
  };
  return new Map(
    Object.entries(files).map(([name, content]) => [
      name,
      Buffer.from(`${JSON.stringify(content, null, 2)}\n`),
    ]),
  );
}
