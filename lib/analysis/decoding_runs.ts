import { trace } from '../graph/program.js';
import { KeyValuePages, pageBytes } from '../layers/kv_cache.js';
import type { Decoder } from '../models/decoder.js';
import { StepGraph } from '../models/step_graph.js';
import { type CacheDType, pagePositions, partPositions } from '../ops/index.js';
import { type CountedRun, countedRun } from './counted_run.js';

/** What writing texts takes: the runs that the engine makes, and its cache. */
export interface DecodingRuns {
  /** The last run over the prompts, in chunks as the scheduler cuts them. */
  readonly prefill: CountedRun;
  /** One further token of each text. */
  readonly decode: CountedRun;
  /** Of the pages that hold all texts. */
  readonly cacheBytes: number;
}

/** Tokens of prompts in one run: the scheduler's limit. */
const chunkTokens = 512;

/** Rows of one text up to which their attention is cut in parts; as in a step. */
const fewRows = 8;

/** @param length tokens of each text, those that are cached included. */
export function decodingRuns(
  decoder: Decoder,
  { batch, length, cacheDtype }: { batch: number; length: number; cacheDtype: CacheDType },
): DecodingRuns {
  const shape = decoder.cacheShape;
  // Costs count the positions in use, and a graph is the same for any number of pages.
  const graph = new StepGraph(decoder, new KeyValuePages(shape, 1, cacheDtype));
  const traced = trace({ logits: graph.next('logits', false) });
  const pages = Math.ceil(length / pagePositions);
  const run = (texts: number, rowsOfEach: number): CountedRun => {
    const { dims } = graph;
    const rows = texts * rowsOfEach;
    const parts = rowsOfEach > fewRows ? 1 : Math.ceil(length / partPositions);
    const sizes = new Map([
      [dims.rows, rows],
      [dims.rowBounds, rows + 1],
      [dims.count, texts],
      [dims.bounds, texts + 1],
      [dims.tables, texts * pages],
      [dims.parts, rows * parts],
      [dims.copies, 0],
      [dims.wanted, texts],
    ]);
    return countedRun(traced, sizes, {
      segments: Int32Array.from({ length: texts + 1 }, (_, i) => i * rowsOfEach),
      lengths: new Int32Array(texts).fill(length),
    });
  };
  const chunk = Math.max(1, Math.min(length, Math.floor(chunkTokens / batch)));
  return {
    prefill: run(Math.min(batch, chunkTokens), chunk),
    decode: run(batch, 1),
    cacheBytes: batch * pages * pageBytes(shape, cacheDtype),
  };
}
