/**
 * Repositories of @huggingface/transformers hold ONNX files that were made from another repository's checkpoint. Their model
 * card names it, so that a program that was written for them opens the checkpoint itself.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isHubId } from '../checkpoints/hub_cache.js';
import { HeddleError } from '../errors.js';

/** No card is near this size. */
export const largestCard = 2 ** 20;

/**
 * The one model that a card's metadata names as `base_model` of a conversion (`library_name: transformers.js`). A card of
 * another library names what the model was fine-tuned from, whose weights are others.
 */
export function originalOf(card: string): string | undefined {
  const metadata = /^---\r?\n([\s\S]*?)\r?\n---/.exec(card)?.[1];
  if (metadata === undefined) return undefined;
  if (!/^library_name:\s*["']?transformers\.js["']?\s*$/m.test(metadata)) return undefined;
  // A scalar, or a list of one.
  const named =
    /^base_model:[ \t]*(?:\r?\n\s*-[ \t]*|\[[ \t]*)?["']?([^\s"'\][,]+)["']?[ \t]*\]?[ \t]*$(?!\r?\n\s*-)/m;
  const id = named.exec(metadata)?.[1];
  return id !== undefined && isHubId(id) ? id : undefined;
}

/** The original that the files in a snapshot's folder name. */
export function originalIn(folder: string): string | undefined {
  const card = textIn(folder, 'README.md');
  return card === undefined || card.length > largestCard ? undefined : originalOf(card);
}

/**
 * Makes sure that the original has the classes and labels of the conversion: a card may name what a model was trained from.
 * @throws ERR_UNSUPPORTED.
 */
export function checkOriginal(id: string, folder: string, original: string, its: string): void {
  const [ours, theirs] = [folder, its].map((where) => {
    const { architectures, id2label } = fieldsOf(textIn(where, 'config.json'));
    return JSON.stringify({ architectures, id2label });
  });
  if (ours === theirs) return;
  throw new HeddleError(
    'ERR_UNSUPPORTED',
    `${id}: holds only ONNX files, and the model that its card names, ${original}, is another one by its config.json; name a repository with the model's safetensors`,
    { where: id, expected: ours, found: theirs },
  );
}

function textIn(folder: string, name: string): string | undefined {
  try {
    return readFileSync(join(folder, name), 'utf8');
  } catch {
    return undefined;
  }
}

/** A config that cannot be read has no fields here; who opens it says what is wrong. */
function fieldsOf(config: string | undefined): { architectures?: unknown; id2label?: unknown } {
  try {
    const fields: unknown = JSON.parse(config ?? '');
    return typeof fields === 'object' && fields !== null ? fields : {};
  } catch {
    return {};
  }
}
