import { HeddleError } from '../errors.js';
import {
  type Initialization,
  type ParameterRole,
  type ParameterSource,
  type WeightDType,
  weightDType,
} from '../graph/parameters.js';
import { elementCount } from '../graph/shape.js';
import { State } from '../graph/state.js';

/** More tensors than any published model has: a config.json may say any sizes, and each tensor is an object here. */
const mostTensors = 250_000;

/** Parameters of which only shapes and dtypes are known: enough to build any model, and to count what running it takes. */
export class UnfilledParameters implements ParameterSource {
  private count = 0;
  /** Elements of the tensors that the model makes nothing of. */
  skipped = 0;

  constructor(private readonly dtype: WeightDType = 'float32') {}

  /** A model has what its class can have, such as a pooler. */
  has(): boolean {
    return true;
  }

  create(
    name: string,
    shape: readonly number[],
    role: ParameterRole,
    _init?: Initialization,
  ): State {
    this.add(1);
    const dtype = weightDType(role, this.dtype, 'float32');
    return new State(name, shape, dtype, { kind: 'zeros' });
  }

  stack(names: readonly string[], [outputs, inputs]: readonly [number, number]): State {
    this.add(names.length);
    // As when they are loaded: products with the matrices of experts are of floats.
    const isFloat = this.dtype !== 'int8' && this.dtype !== 'int4';
    const shape = [names.length * outputs, inputs];
    return new State(names[0] ?? '', shape, isFloat ? this.dtype : 'float32', { kind: 'zeros' });
  }

  skip(_name: string, shape: readonly number[]): void {
    this.skipped += elementCount(shape);
  }

  private add(tensors: number): void {
    this.count += tensors;
    if (this.count <= mostTensors) return;
    const message = `config.json: expected a model of at most ${mostTensors} tensors, found more`;
    throw new HeddleError('ERR_CONFIG', message, { where: 'config.json' });
  }
}
