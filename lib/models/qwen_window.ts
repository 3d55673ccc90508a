import { slidingLayers, windowOf } from './decoder_config.js';
import type { ModelConfig } from './model_config.js';

const usesWindow = (config: ModelConfig): boolean =>
  config.boolean('use_sliding_window', { default: false });

/** See `Period`. */
export const qwenPeriod = (config: ModelConfig): number =>
  usesWindow(config) && !config.has('layer_types') ? Infinity : 1;

/** The window of each layer: where `use_sliding_window` says so, the layers from `max_window_layers` on have one. */
export function qwenWindow(
  config: ModelConfig,
  numLayers: number,
): (layer: number) => number | undefined {
  const window = usesWindow(config) ? windowOf(config) : undefined;
  const first = config.integer('max_window_layers', { default: 28 });
  const slides = slidingLayers(config, numLayers, (layer) => layer >= first);
  return (layer) => (slides[layer] ? window : undefined);
}
