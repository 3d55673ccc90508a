/**
 * The parts of @huggingface/tokenizers that are used, with their types: the package's own declarations
 * import each other without file extensions, which Node's module resolution does not follow.
 */
import * as tokenizers from '@huggingface/tokenizers';

interface Decoder {
  decode_chain(tokens: string[]): string[];
}

type DecoderName = 'BPEDecoder' | 'FuseDecoder' | 'ReplaceDecoder' | 'StripDecoder';

export const decoders = tokenizers as unknown as Record<
  DecoderName,
  new (
    config: object,
  ) => Decoder
>;
