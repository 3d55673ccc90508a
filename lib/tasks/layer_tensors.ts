import type { FileRange } from '../native.js';
import type { LayerStack } from './layer_stack.js';

/** The first number in a tensor's name is that of its layer: `model.layers.3.mlp.experts.0.w1`. */
const layerInName = /^((?:(?!\d+\.)[^.]+\.)*)(\d+)(?=\.)/;

/**
 * The tensors of a checkpoint of the model with fewer layers: those of its first ones, and what belongs to none.
 * @returns undefined where a layer from the second period on has other tensors than the one a period after it.
 */
export function firstLayers(
  tensors: ReadonlyMap<string, FileRange>,
  layers: number,
  stack: LayerStack,
): Map<string, FileRange> | undefined {
  const first = new Map<string, FileRange>();
  const kinds = Array.from({ length: stack.layers }, () => new Map<string, string>());
  for (const [name, range] of tensors) {
    const [whole, before, digits] = layerInName.exec(name) ?? [];
    if (whole === undefined) {
      first.set(name, range);
      continue;
    }
    const layer = Number(digits);
    if (layer < layers) first.set(name, range);
    kinds[layer]?.set(`${before}${name.slice(whole.length)}`, `${range.dtype} ${range.dims}`);
    if (layer >= stack.layers) return undefined;
  }
  const { period } = stack;
  for (let layer = period; layer + period < stack.layers; layer++) {
    const [here, there] = [kinds[layer], kinds[layer + period]];
    if (here.size !== there.size) return undefined;
    for (const [name, kind] of here) if (there.get(name) !== kind) return undefined;
  }
  return first;
}
