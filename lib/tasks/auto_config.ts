import { readConfig } from '../checkpoints/config.js';
import { reporting } from './load_options.js';
import { locateModel } from './pipeline_env.js';
import { loadOptionsOf, type PretrainedOptions } from './pretrained_options.js';
import { resolveSource } from './source.js';

/** @huggingface/transformers' way to read a config.json. */
export const AutoConfig = {
  /**
   * The fields of a config.json as they are written; of a hub id, it alone is downloaded.
   * @throws ERR_NOT_FOUND, ERR_FILE, ERR_FORMAT; for a hub id also ERR_NETWORK, ERR_AUTH.
   */
  async from_pretrained(
    source: string,
    options: PretrainedOptions = {},
  ): Promise<Record<string, unknown>> {
    const { onProgress, ...settings } = loadOptionsOf('AutoConfig', source, options);
    const onDownload = reporting('download', onProgress);
    const request = { ...settings, part: 'config', onDownload } as const;
    const { fields } = await readConfig(await resolveSource(locateModel(source), request));
    return { ...fields };
  },
};
