import { HeddleError } from '../errors.js';
import type {
  Initialization,
  ParameterRole,
  ParameterSource,
  StoredAs,
} from '../graph/parameters.js';
import type { State } from '../graph/state.js';
import { RandomSource } from '../layers/random_source.js';

/**
 * First weights of a model that is trained from scratch, as transformers draws them: matrices normal with one deviation
 * (`initializer_range`, 0.02 in most configs), biases 0. Norms begin as the layers say.
 */
export class InitialParameters implements ParameterSource {
  private readonly random: RandomSource;

  constructor(
    seed: number,
    private readonly deviation: number,
  ) {
    this.random = new RandomSource(seed);
  }

  has(): boolean {
    return true;
  }

  create(
    name: string,
    shape: readonly number[],
    role: ParameterRole,
    init: Initialization,
    stored?: StoredAs,
  ): State {
    checkCount(name, shape);
    return this.random.create(name, shape, role, this.drawn(role, init), stored);
  }

  stack(names: readonly string[], shape: readonly [number, number]): State {
    checkCount(names[0] ?? '', [names.length, ...shape]);
    return this.random.stack(names, shape, { kind: 'normal', deviation: this.deviation });
  }

  private drawn(role: ParameterRole, init: Initialization): Initialization {
    if (role !== 'vector') return { kind: 'normal', deviation: this.deviation };
    return init.kind === 'constant' ? init : { kind: 'constant', value: 0 };
  }
}

/** A config may say any sizes. */
function checkCount(name: string, shape: readonly number[]): void {
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (count < 2 ** 31) return;
  const message = `${name}: expected fewer than 2^31 numbers, found [${shape.join(', ')}]`;
  throw new HeddleError('ERR_CONFIG', message, { where: name });
}
