/** What callers give and get when texts are written. */

/** What a text is continued from: a text, or the ids of one. */
export type Prompt = string | { inputIds: readonly number[] };

export interface GenerateOptions {
  /** Default 256; fewer where the model's positions end. */
  maxNewTokens?: number;
  /** Ids that end a text; default: as config.json says. `null`: only its length ends it. */
  eosTokenId?: number | readonly number[] | null;
  /** Ends the call within one token; it rejects with `signal.reason`. */
  signal?: AbortSignal;
}

export interface Generation {
  /** The new ids, that which ended the text among them. */
  ids: number[];
  /** Absent where the model has no tokenizer. */
  text?: string;
  finishReason: 'stop' | 'length';
}

export interface GeneratedToken {
  id: number;
}
