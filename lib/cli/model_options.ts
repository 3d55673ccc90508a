import { join } from 'node:path';
import type { Command } from 'cac';
import { HeddleError } from '../errors.js';
import { packageRoot } from '../native.js';
import { load } from '../tasks/load.js';
import { weightDTypes } from '../tasks/load_options.js';
import type { Model } from '../tasks/model.js';
import { type Pipeline, pipeline, type Task } from '../tasks/pipeline.js';
import { defaultModelFolder, defaultModelName, type OnDownload } from '../tasks/source.js';
import { written } from './arguments.js';
import { choice, ProgressBar } from './output.js';

/**
 * Options that say which model to open, the same for every command.
 * @param hasDefault whether the command can do with all-MiniLM-L6-v2.
 */
export function withModelOptions(command: Command, { hasDefault = true } = {}): Command {
  const otherwise = hasDefault ? ` (default: ${defaultModelName})` : '';
  return command
    .option('--model <source>', `Folder or hub id${otherwise}`)
    .option('--revision <revision>', 'Commit, branch or tag of a hub id (default: main)')
    .option(
      '--dtype <dtype>',
      `How weights are kept: ${weightDTypes.join(', ')} (default: as stored)`,
    )
    .option('--adapter <folder>', "A LoRA adapter's folder; given again, another on top");
}

/** Opens the model that the options name, or all-MiniLM-L6-v2. */
export async function openModel(
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<Model> {
  const source = options.model === undefined ? defaultModelFolder() : String(options.model);
  const dtype = choice('dtype', options.dtype, weightDTypes);
  const revision = revisionOf(options);
  const bars = progressBars();
  try {
    return await load(source ?? defaultModelName, {
      ...(dtype ? { dtype } : {}),
      ...(revision === undefined ? {} : { revision }),
      ...adapterOf(options),
      signal,
      onProgress: ({ stage, loaded, total }) => bars[stage].update(loaded, total),
    });
  } catch (cause) {
    if (source !== undefined || signal.aborted || !(cause instanceof HeddleError)) throw cause;
    const script = join(packageRoot(), 'scripts', 'fetch-minilm.mjs');
    throw new HeddleError(
      'ERR_NOT_FOUND',
      `no --model given, and ${defaultModelName} cannot be had from the hub; fetch it from elsewhere with: node ${script} (${cause.message})`,
      { cause },
    );
  } finally {
    bars.download.end();
    bars.load.end();
  }
}

const adapterOf = ({ adapter }: Record<string, unknown>): { adapter?: string[] } =>
  adapter === undefined ? {} : { adapter: [adapter].flat().map(String) };

export function revisionOf(options: Record<string, unknown>): string | undefined {
  return options.revision === undefined ? undefined : written('revision');
}

/** Runs a body that may download a model, with a bar, until it is done or interrupted. */
export async function withDownloadBar<T>(
  body: (fetching: { signal: AbortSignal; onDownload: OnDownload }) => Promise<T>,
): Promise<T> {
  const bar = new ProgressBar('downloading');
  return interruptible((signal) =>
    body({ signal, onDownload: ({ loaded, total }) => bar.update(loaded, total) }),
  ).finally(() => bar.end());
}

/** Opens the model that the options name for a task. */
export async function openPipeline<T extends Task>(
  task: T,
  options: Record<string, unknown>,
  signal: AbortSignal,
): Promise<Pipeline<T>> {
  if (options.model === undefined) {
    throw new HeddleError(
      'ERR_ARGUMENT',
      `--model: expected a folder or hub id of a model for ${task}, found none`,
    );
  }
  const dtype = choice('dtype', options.dtype, weightDTypes);
  const revision = revisionOf(options);
  const bars = progressBars();
  try {
    const opened = await pipeline(task, String(options.model), {
      ...(dtype ? { dtype } : {}),
      ...(revision === undefined ? {} : { revision }),
      ...adapterOf(options),
      signal,
      progress_callback: (event) => {
        if (event.status === 'progress') bars[event.stage].update(event.loaded, event.total);
      },
    });
    return opened as Pipeline<T>;
  } finally {
    bars.download.end();
    bars.load.end();
  }
}

const progressBars = (): Record<'download' | 'load', ProgressBar> => ({
  download: new ProgressBar('downloading'),
  load: new ProgressBar('loading'),
});

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
