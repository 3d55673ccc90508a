import { mismatch } from '../errors.js';
import { checkOptions, describeValue } from '../graph/options.js';
import { type LayerOptions, Scope } from './scope.js';

/** What every layer has: a place in a tree of parameters, and an end. */
export abstract class Layer {
  readonly scope: Scope;

  /**
   * @param name of the layer, for messages. @param options as the layer was given them; ERR_ARGUMENT for a key that is
   * not `scope` or one of `known`.
   */
  constructor(name: string, options: LayerOptions, known: readonly string[] = []) {
    checkOptions<object>(name, options, [...known, 'scope'] as never[]);
    const { scope = Scope.random() } = options;
    if (!(scope instanceof Scope)) {
      throw mismatch('ERR_ARGUMENT', `${name}: scope`, 'a Scope', describeValue(scope));
    }
    this.scope = scope;
  }

  /** Gives the parameters' memory back: all of the tree that the scope belongs to, other layers' too. */
  dispose(): void {
    this.scope.parameters.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
