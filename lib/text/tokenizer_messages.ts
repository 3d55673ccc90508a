/** What `AsyncTokenizer` and its worker thread say to each other. */
import type { ErrorCode } from '../errors.js';
import type { CompactEncoding, EncodeOptions } from './encoding.js';

export interface TokenizerThreadData {
  /** What `Tokenizer.load` takes. */
  path: string;
}

export interface TokenizerRequest {
  job: number;
  text: string;
  options: EncodeOptions;
  withOffsets: boolean;
}

export type TokenizerReply =
  | { job: number; encoding: CompactEncoding }
  | { job: number; error: { code: ErrorCode; message: string } };
