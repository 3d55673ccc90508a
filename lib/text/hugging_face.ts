/**
 * The parts of @huggingface/tokenizers that are used, with their types: the package's own declarations
 * import each other without file extensions, which Node's module resolution does not follow.
 */
import * as tokenizers from '@huggingface/tokenizers';

interface Decoder {
  decode(tokens: string[]): string;
}

export const { ByteLevelDecoder, WordPieceDecoder } = tokenizers as unknown as {
  ByteLevelDecoder: new (config: object) => Decoder;
  WordPieceDecoder: new (config: object) => Decoder;
};
