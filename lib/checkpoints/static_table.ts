/** The table of a static embedding model, as model2vec and sentence-transformers store it. */
import { HeddleError, mismatch } from '../errors.js';
import type { ParameterSource } from '../graph/parameters.js';
import { State } from '../graph/state.js';
import type { FileRange } from '../native.js';
import type { Checkpoint } from './checkpoint.js';
import { readRange, toFloat64 } from './dtype.js';
import { CheckpointSource, type WeightDType } from './parameter_source.js';

export interface StaticTable {
  readonly source: ParameterSource;
  /** Entries and columns. */
  readonly shape: readonly [number, number];
  /** Under what name `source` has it. */
  readonly name: string;
  /** Whether the names are model2vec's, which leaves unknown tokens out and cuts texts. */
  readonly isModel2Vec: boolean;
}

const names = { model2vec: 'embeddings', sentenceTransformers: 'embedding.weight' };

/** Whether a checkpoint's tensors are those of a static model. */
export const hasStaticTable = ({ tensors }: Checkpoint): boolean =>
  tensors.has(names.model2vec) || tensors.has(names.sentenceTransformers);

/**
 * Finds the table. Where model2vec has shared rows among tokens (`mapping`), weighed them (`weights`) or stored them as
 * int8, it is written out here to one float32 row for each token.
 * @throws ERR_NOT_FOUND, ERR_SHAPE, ERR_FORMAT, ERR_FILE.
 */
export async function openStaticTable(
  { tensors }: Checkpoint,
  where: string,
  dtype: WeightDType | undefined,
): Promise<StaticTable> {
  const isModel2Vec = tensors.has(names.model2vec);
  const stored = isModel2Vec ? names.model2vec : names.sentenceTransformers;
  const range = tensors.get(stored);
  if (range === undefined) {
    const expected = Object.values(names).join("' or '");
    throw new HeddleError(
      'ERR_NOT_FOUND',
      `${where}: expected a tensor '${expected}', found none`,
      {
        where,
      },
    );
  }
  if (range.dims.length !== 2) {
    const found = `[${range.dims.join(', ')}]`;
    throw mismatch('ERR_SHAPE', `${range.path}: ${stored}`, '[tokens, dimensions]', found);
  }
  const [rows = 0, columns = 0] = range.dims;
  const mapping = tensors.get('mapping');
  const weights = tensors.get('weights');
  if (!mapping && !weights && /^B?F(16|32)$/.test(range.dtype)) {
    const source = new CheckpointSource(new Map([['table.weight', range]]), {
      prefix: '',
      dtype,
      where,
    });
    return { source, shape: [rows, columns], name: 'table', isModel2Vec };
  }
  const entries = mapping?.dims[0] ?? rows;
  expectVector(mapping, 'mapping', entries);
  expectVector(weights, 'weights', entries);
  const data = await writtenOut(range, mapping, weights, entries);
  const source: ParameterSource = {
    has: () => true,
    create: (name, shape) => new State(name, shape, 'float32', { kind: 'data', data }),
  };
  return { source, shape: [entries, columns], name: 'table', isModel2Vec };
}

function expectVector(range: FileRange | undefined, name: string, length: number): void {
  if (range === undefined || String(range.dims) === String([length])) return;
  const found = `[${range.dims.join(', ')}]`;
  throw mismatch('ERR_SHAPE', `${range.path}: ${name}`, `[${length}]`, found);
}

async function writtenOut(
  table: FileRange,
  mapping: FileRange | undefined,
  weights: FileRange | undefined,
  entries: number,
): Promise<Float32Array> {
  const read = async (range: FileRange | undefined): Promise<Float64Array | undefined> =>
    range && toFloat64(await readRange(range), range.dtype);
  const rows = (await read(table)) as Float64Array;
  const [rowOf, factors] = [await read(mapping), await read(weights)];
  const [count = 0, columns = 0] = table.dims;
  const data = new Float32Array(entries * columns);
  for (let entry = 0; entry < entries; entry++) {
    const row = rowOf?.[entry] ?? entry;
    if (!(row >= 0 && row < count)) {
      const where = `${table.path}: mapping[${entry}]`;
      throw mismatch('ERR_FORMAT', where, `a row from 0 to ${count - 1}`, String(row));
    }
    const factor = factors?.[entry] ?? 1;
    for (let i = 0; i < columns; i++) {
      data[entry * columns + i] = rows[row * columns + i] * factor;
    }
  }
  return data;
}
