import type { Model } from '../../lib/tasks/model.js';

export interface CaseResult {
  family: string;
  variant: string;
  architecture: string;
  name: string;
  /** What differs; absent where the case passed. */
  error?: string;
}

export function runModels(
  load: (folder: string) => Promise<Model>,
  folder: string,
  families?: readonly string[],
): AsyncGenerator<CaseResult>;

export function readTensors(file: Buffer): Map<string, { data: Float32Array; shape: number[] }>;
