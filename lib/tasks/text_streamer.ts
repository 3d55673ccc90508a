/** What shows a text while it is generated, as @huggingface/transformers has it. */
import type { IncrementalDecoder } from '../text/incremental_decoder.js';
import type { Tokenizer } from '../text/tokenizer.js';

/** Is given the prompt's ids, then each new id, then the end. */
export interface BaseStreamer {
  put(value: bigint[][]): void;
  end(): void;
}

export interface TextStreamerOptions {
  /** Whether the prompt is left out; default false. */
  skip_prompt?: boolean;
  /** Default true. */
  skip_special_tokens?: boolean;
  /** Gets the text in pieces of whole characters; default: writes to stdout. */
  callback_function?: ((text: string) => void) | null;
  /** Gets the ids. */
  token_callback_function?: ((ids: bigint[]) => void) | null;
}

/** Shows a text as soon as its characters are certain. */
export class TextStreamer implements BaseStreamer {
  private decoder: IncrementalDecoder | undefined;
  private isPrompt = true;
  private readonly show: (text: string) => void;

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly options: TextStreamerOptions = {},
  ) {
    this.show = options.callback_function ?? ((text) => void process.stdout.write(text));
  }

  put(value: bigint[][]): void {
    const [ids = []] = value;
    const skips = this.isPrompt && this.options.skip_prompt === true;
    this.isPrompt = false;
    if (skips) return;
    this.options.token_callback_function?.(ids);
    const { skip_special_tokens: skipSpecialTokens = true } = this.options;
    this.decoder ??= this.tokenizer.decodeIncrementally({
      skipSpecialTokens,
      skipUnknownIds: true,
    });
    const text = ids.map((id) => this.decoder!.push(Number(id))).join('');
    if (text !== '') this.show(text);
  }

  /** Ready for another text. */
  end(): void {
    const text = this.decoder?.finish() ?? '';
    this.decoder = undefined;
    this.isPrompt = true;
    if (text !== '') this.show(text);
    if (!this.options.callback_function) this.show('\n');
  }
}
