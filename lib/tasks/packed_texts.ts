import type { PackedBatch } from '../models/encoder_inputs.js';
import type { TextEncoder } from '../models/text_encoder.js';
import type { CompactEncoding } from '../text/encoding.js';

/** Joins the tokens of texts into one batch. */
export function packTexts(
  encoder: TextEncoder,
  encodings: readonly CompactEncoding[],
): PackedBatch {
  const offsets = new Int32Array(encodings.length + 1);
  encodings.forEach(({ ids }, i) => {
    offsets[i + 1] = offsets[i] + ids.length;
  });
  const rows = offsets[encodings.length];
  const [ids, typeIds] = [new Int32Array(rows), new Int32Array(rows)];
  const [positionIds, columns] = [new Int32Array(rows), new Int32Array(rows)];
  encodings.forEach((encoding, i) => {
    const at = offsets[i];
    ids.set(encoding.ids, at);
    if (encoder.limits.typeVocabSize > 1) typeIds.set(encoding.typeIds, at);
    positionIds.set(encoder.positionIds(Array.from(encoding.ids)), at);
    encoding.ids.forEach((_, column) => {
      columns[at + column] = column;
    });
  });
  return { ids, typeIds, positionIds, columns, offsets };
}
