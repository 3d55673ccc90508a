/** The arguments of Hugging Face's `generate`, as golden cases name them, as settings. */
import { readGenerationDefaults } from '../../lib/generation/generation_config.js';
import {
  checkOptionsOf,
  type GenerationSettings,
  settingsFor,
} from '../../lib/generation/settings.js';

export const vocabSize = 18;

export function settingsOf(
  golden: Record<string, unknown>,
  promptLength: number,
  maxLength?: number,
): GenerationSettings {
  const limits = { vocabSize, contextLength: maxLength ?? 1000 };
  const length = maxLength === undefined ? {} : { max_new_tokens: maxLength - promptLength };
  // Null is an argument here, and nothing in a file.
  const eos = golden.eos_token_id === null ? { eosTokenId: null } : {};
  const defaults = readGenerationDefaults({ ...golden, ...length }, 'golden');
  const given = checkOptionsOf('generate', eos, limits);
  return settingsFor('generate', given, defaults, limits, promptLength);
}
