/** The same model with fewer layers. */
import { Config } from '../checkpoints/config.js';
import { ownField } from '../checkpoints/json_file.js';
import { architectureOf } from '../models/registry.js';

/** Layers of a model that repeat. */
export interface LayerStack {
  readonly layers: number;
  /** After so many they begin anew. */
  readonly period: number;
  /** A model of so many, as many beyond a whole number of periods as this one has. */
  at(layers: number): Config;
}

/** How families name the number of layers. */
export const layerCounts = ['num_hidden_layers', 'n_layer', 'n_layers'] as const;

/** Fields with an entry for each layer. */
const layerLists = ['layer_types', 'no_rope_layers'] as const;

/** The stack of an encoder or a decoder; undefined where layers do not repeat, or config.json contradicts itself. */
export function layerStack(config: Config): LayerStack | undefined {
  const { fields, file } = config;
  const counts = layerCounts.filter((name) => ownField(fields, name) !== undefined);
  const [layers, ...others] = new Set(counts.map((name) => fields[name]));
  if (!(typeof layers === 'number' && Number.isSafeInteger(layers)) || others.length > 0) {
    return undefined;
  }
  const lists = layerLists.flatMap((name) => {
    const list = ownField(fields, name);
    return Array.isArray(list) && list.length > 0 ? [{ name, list }] : [];
  });
  if (lists.some(({ list }) => list.length !== layers)) return undefined;
  const { architecture } = architectureOf(config.architectures, config.modelType);
  const unit = architecture.period(config);
  let period = unit;
  const repeats = ({ list }: { list: readonly unknown[] }): boolean =>
    list.every((entry, i) => i < period || entry === list[i - period]);
  while (period < layers && !lists.every(repeats)) period += unit;
  if (period >= layers) return undefined;
  return {
    layers,
    period,
    at: (fewer) =>
      new Config(
        {
          ...fields,
          ...Object.fromEntries(counts.map((name) => [name, fewer])),
          ...Object.fromEntries(lists.map(({ name, list }) => [name, list.slice(0, fewer)])),
        },
        file,
      ),
  };
}
