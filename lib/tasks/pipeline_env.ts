import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** What @huggingface/transformers lets programs set for everything that is opened later. */
export interface PipelineEnv {
  /** Whether models are looked for on this machine, under `localModelPath`; default true. */
  allowLocalModels: boolean;
  /** Whether models may be downloaded; default true. */
  allowRemoteModels: boolean;
  /** Where `org/name` is looked for first; default `/models/`. */
  localModelPath: string;
  /** The Hugging Face cache; default: as HF_HOME and HF_HUB_CACHE say. */
  cacheDir: string | null;
  /** The hub, or a mirror of it; default: as HF_ENDPOINT says. */
  remoteHost: string | null;
  /** Of ONNX: taken so that programs run unchanged, and without effect. */
  backends: Record<string, unknown>;
  /** One of `LogLevel`; without effect, as nothing is logged. */
  logLevel: number;
  [other: string]: unknown;
}

/** Settings of every pipeline that is made later. Those that Heddle has nothing for may be set, and do nothing. */
export const env: PipelineEnv = {
  allowLocalModels: true,
  allowRemoteModels: true,
  localModelPath: '/models/',
  cacheDir: null,
  remoteHost: null,
  backends: { onnx: { wasm: {} } },
  logLevel: 30,
};

/** @huggingface/transformers' levels, for programs that set `env.logLevel`. */
export const LogLevel = Object.freeze({ DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40, NONE: 50 });

/** Where a model is: its folder under `env.localModelPath`, if there is one, else as it was named. */
export function locateModel(model: string): string {
  if (!env.allowLocalModels) return model;
  const folder = join(env.localModelPath, model);
  const marks = ['config.json', 'tokenizer.json'];
  return marks.some((name) => existsSync(join(folder, name))) ? folder : model;
}
