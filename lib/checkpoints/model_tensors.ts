/** A model's parameters as the tensors of its checkpoint. */
import { mismatch } from '../errors.js';
import type { Backend } from '../graph/backend.js';
import type { StoredParameter } from '../graph/parameters.js';
import { elementCount } from '../graph/shape.js';
import type { State } from '../graph/state.js';
import type { WrittenTensor } from './safetensors_writer.js';

/** Tensors in the names, shapes and order of rows that the checkpoint has them in. */
export function modelTensors(
  parameters: readonly StoredParameter[],
  backend: Backend,
): WrittenTensor[] {
  const parts = new Map<string, { shape: readonly number[]; pieces: Piece[] }>();
  for (const { state, names, stored } of parameters) {
    names.forEach((name, i) => {
      const shape = stored?.shape ?? shapeOf(state, names);
      const whole = parts.get(name) ?? { shape, pieces: [] };
      whole.pieces.push(new Piece(state, stored, i, names.length));
      parts.set(name, whole);
    });
  }
  return Array.from(parts, ([name, { shape, pieces }]) => ({
    name,
    shape,
    async read() {
      const data = new Float32Array(elementCount(shape));
      for (const piece of pieces) await piece.copy(backend, data);
      return data;
    },
  }));
}

/** Matrices of several names lie one after the other in their state. */
function shapeOf({ shape }: State, names: readonly string[]): readonly number[] {
  return names.length === 1 ? shape : [(shape[0] ?? 0) / names.length, ...shape.slice(1)];
}

/** What a state has of one tensor. */
class Piece {
  constructor(
    private readonly state: State,
    private readonly stored: StoredParameter['stored'],
    private readonly index: number,
    private readonly count: number,
  ) {}

  async copy(backend: Backend, into: Float32Array): Promise<void> {
    const all = await backend.read(this.state);
    if (!(all instanceof Float32Array)) {
      throw mismatch('ERR_UNSUPPORTED', this.state.name, 'float32', this.state.dtype);
    }
    if (this.stored?.transposed) {
      const [outputs = 0, inputs = 0] = this.state.shape;
      for (let i = 0; i < outputs; i++) {
        for (let k = 0; k < inputs; k++) into[k * outputs + i] = all[i * inputs + k];
      }
      return;
    }
    const length = all.length / this.count;
    const own = all.subarray(this.index * length, (this.index + 1) * length);
    into.set(own, this.stored?.offset ?? 0);
  }
}
