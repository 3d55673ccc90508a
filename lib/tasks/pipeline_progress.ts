/** What `progress_callback` of a pipeline gets, in the events of @huggingface/transformers. */
import type { LoadOptions, LoadProgress } from './load_options.js';

export type PipelineProgress =
  /** A file is to be read, is being read, is there. */
  | { status: 'initiate' | 'download' | 'done'; name: string; file: string }
  /** Bytes of one file; those of the weights, when they are read, under one name for all files that they are in. */
  | (Bytes & { status: 'progress'; name: string; file: string; stage: LoadProgress['stage'] })
  /** Bytes of all files of a stage. */
  | (Bytes & {
      status: 'progress_total';
      name: string;
      files: NonNullable<LoadProgress['files']>;
      stage: LoadProgress['stage'];
    })
  | { status: 'ready'; task: string; model: string };

interface Bytes {
  /** In percent. */
  progress: number;
  loaded: number;
  total: number;
}

const weightsFile = 'model.safetensors';

/** An `onProgress` of `load` that tells `report` what is new. */
export function reportingEvents(
  name: string,
  report: (progress: PipelineProgress) => void,
): NonNullable<LoadOptions['onProgress']> {
  const told = new Map<string, number>();
  return ({ stage, loaded, total, files = { [weightsFile]: { loaded, total } } }) => {
    for (const [file, bytes] of Object.entries(files)) {
      const key = `${stage} ${file}`;
      const before = told.get(key);
      if (before === bytes.loaded) continue;
      told.set(key, bytes.loaded);
      if (before === undefined) {
        report({ status: 'initiate', name, file });
        report({ status: 'download', name, file });
      }
      report({ status: 'progress', name, file, stage, ...withPercent(bytes) });
      if (bytes.loaded === bytes.total) report({ status: 'done', name, file });
    }
    report({ status: 'progress_total', name, files, stage, ...withPercent({ loaded, total }) });
  };
}

function withPercent({ loaded, total }: { loaded: number; total: number }): Bytes {
  return { progress: total === 0 ? 100 : (100 * loaded) / total, loaded, total };
}
