import { describe, expect, it } from 'vitest';
import { philox } from '../../lib/graph/philox.js';

describe('philox', () => {
  // Known answers of Random123 (kat_vectors: philox4x32, 10 rounds), Salmon et al. 2011.
  it('gives the published numbers for zeros', () => {
    expect(philox(0, 0, 0)).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  });
});
