import { HeddleError } from '../errors.js';
import { reporting } from './load_options.js';
import { openTokenizer } from './model_tokenizer.js';
import { locateModel } from './pipeline_env.js';
import { loadOptionsOf, type PretrainedOptions } from './pretrained_options.js';
import { type PretrainedTokenizer, pretrainedTokenizer } from './pretrained_tokenizer.js';
import { resolveSource } from './source.js';

/** @huggingface/transformers' way to open a tokenizer by itself. */
export const AutoTokenizer = {
  /**
   * Opens a tokenizer that can be called; of a hub id, its files alone are downloaded.
   * @param source a folder with a tokenizer.json, or a hub id. @param options those about weights have no effect.
   * @throws ERR_NOT_FOUND, ERR_FILE, ERR_FORMAT, ERR_UNSUPPORTED; for a hub id also ERR_NETWORK, ERR_AUTH.
   */
  async from_pretrained(
    source: string,
    options: PretrainedOptions = {},
  ): Promise<PretrainedTokenizer> {
    const { onProgress, ...settings } = loadOptionsOf('AutoTokenizer', source, options);
    const onDownload = reporting('download', onProgress);
    const request = { ...settings, part: 'tokenizer', onDownload } as const;
    const folder = await resolveSource(locateModel(source), request);
    const opened = await openTokenizer(folder);
    if (opened) return pretrainedTokenizer(opened.tokenizer);
    throw new HeddleError(
      'ERR_NOT_FOUND',
      `${folder}: expected a tokenizer.json, found none; save one in Python: AutoTokenizer.from_pretrained(…).save_pretrained(folder)`,
      { where: folder, expected: 'tokenizer.json' },
    );
  },
};
