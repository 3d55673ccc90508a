import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HeddleError } from '../../lib/errors.js';
import { load } from '../../lib/tasks/load.js';
import { nativeBackend } from '../native.js';
import { tinyFolder } from './tiny_model.js';

const { addon } = nativeBackend();

/** Loads a folder and says how that ended: loaded, or the code of the error. */
async function outcome(folder: string, file: string): Promise<string> {
  try {
    (await load(folder)).dispose();
    return 'loaded';
  } catch (error) {
    if (!(error instanceof HeddleError)) throw error;
    expect(error.message).toMatch(new RegExp(`${folder}|${file}`));
    return error.code;
  }
}

/** Errors that a malformed file may give: wrong in itself, or right and not this model's. */
const allowed = ['ERR_FORMAT', 'ERR_UNSUPPORTED', 'ERR_NOT_FOUND', 'ERR_SHAPE'];

describe('malformed weights', async () => {
  const folder = await tinyFolder({ tokenizer: false });
  const file = join(folder, 'model.safetensors');
  const whole = readFileSync(file);
  const headerBytes = Number(whole.readBigUInt64LE(0));
  const before = addon.counters();

  it('cut off anywhere are an error', async () => {
    const lengths = new Set([
      0,
      1,
      7,
      8,
      9,
      8 + headerBytes - 1,
      8 + headerBytes,
      whole.length - 1,
    ]);
    for (let length = 16; length < whole.length; length += Math.ceil(length / 6))
      lengths.add(length);
    for (const length of lengths) {
      writeFileSync(file, whole.subarray(0, length));
      expect([length, await outcome(folder, file)]).toEqual([length, 'ERR_FORMAT']);
    }
  });

  it('with a changed byte in the header are an error, or load', async () => {
    const outcomes = new Map<string, number>();
    // Offsets and values in strides that have no common divisor with the header's own periods.
    for (let at = 0; at < 8 + headerBytes; at += at < 400 ? 3 : 61) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] + 1 + ((at * 89) % 255)) % 256;
      writeFileSync(file, changed);
      const result = await outcome(folder, file);
      expect([at, result]).toEqual([at, expect.stringMatching(`loaded|${allowed.join('|')}`)]);
      outcomes.set(result, (outcomes.get(result) ?? 0) + 1);
    }
    expect(outcomes.get('ERR_FORMAT')).toBeGreaterThan(50);
  });

  it('with NaN and infinities in them load, and give numbers that say so', async () => {
    const changed = Buffer.from(whole);
    changed.fill(0xff, 8 + headerBytes); // NaN in every float32
    writeFileSync(file, changed);
    using model = await load(folder);
    const { logits } = await model.forward({ inputIds: [[1, 2]] });
    expect(logits.data.every(Number.isNaN)).toBe(true);
  });

  it('leave nothing behind, and the right file still loads', async () => {
    await expect.poll(() => addon.counters().stateBytes).toBe(before.stateBytes);
    expect(addon.counters().states).toBe(before.states);
    writeFileSync(file, whole);
    expect(await outcome(folder, file)).toBe('loaded');
  });
});
