import { join } from 'node:path';
import type { Command } from 'cac';
import { HeddleError } from '../errors.js';
import { packageRoot } from '../native.js';
import { load, weightDTypes } from '../tasks/load.js';
import type { Model } from '../tasks/model.js';
import { defaultModelFolder, defaultModelName } from '../tasks/source.js';
import { choice, ProgressBar } from './output.js';

/** Options that say which model to open, the same for every command. */
export function withModelOptions(command: Command): Command {
  return command
    .option('--model <source>', `Folder or hub id (default: ${defaultModelName})`)
    .option(
      '--dtype <dtype>',
      `How weights are kept: ${weightDTypes.join(', ')} (default: as stored)`,
    );
}

/** Opens the model that the options name, or all-MiniLM-L6-v2 where it has been fetched. */
export async function openModel(
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<Model> {
  const source = options.model === undefined ? defaultModelFolder() : String(options.model);
  if (source === undefined) {
    throw new HeddleError(
      'ERR_NOT_FOUND',
      `no --model given, and ${defaultModelName} is not in the caches; fetch it with: node ${join(packageRoot(), 'scripts', 'fetch-minilm.mjs')}`,
    );
  }
  const dtype = choice('dtype', options.dtype, weightDTypes);
  const bar = new ProgressBar('loading');
  try {
    return await load(source, {
      ...(dtype ? { dtype } : {}),
      signal,
      onProgress: ({ loaded, total }) => bar.update(loaded, total),
    });
  } finally {
    bar.end();
  }
}

/** Runs a command's body with a signal that Ctrl-C triggers; a second Ctrl-C ends the program. */
export async function interruptible<T>(body: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onInterrupt = (): void => controller.abort(new HeddleError('ERR_INPUT', 'interrupted'));
  process.once('SIGINT', onInterrupt);
  try {
    return await body(controller.signal);
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}
