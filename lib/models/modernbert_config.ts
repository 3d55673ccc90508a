/** The fields of ModernBERT's config.json that have been spelled in several ways. */
import { HeddleError } from '../errors.js';
import type { ModelConfig } from './model_config.js';

/** What a layer's attention reaches: all tokens, or the nearest. */
export type LayerKind = 'full' | 'sliding';

const kindNames: Readonly<Record<string, LayerKind>> = {
  full_attention: 'full',
  sliding_attention: 'sliding',
};

/** The kind of each layer: `layer_types`, else every `global_attn_every_n_layers`-th one is full. */
export function layerKinds(config: ModelConfig, numLayers: number): LayerKind[] {
  const names = config.stringList('layer_types', { default: [] });
  if (names.length === 0) {
    const every = config.integer('global_attn_every_n_layers', { min: 1, default: 3 });
    return Array.from({ length: numLayers }, (_, i) => (i % every === 0 ? 'full' : 'sliding'));
  }
  const kinds = names.map((name) => (Object.hasOwn(kindNames, name) ? kindNames[name] : undefined));
  const unknown = kinds.indexOf(undefined);
  if (unknown >= 0 || kinds.length !== numLayers) {
    const found = unknown >= 0 ? `'${names[unknown]}'` : `${kinds.length}`;
    throw new HeddleError(
      'ERR_CONFIG',
      `config.json: layer_types: expected ${numLayers} of ${Object.keys(kindNames).join(', ')}, found ${found}`,
      { where: 'layer_types', found },
    );
  }
  return kinds as LayerKind[];
}

const bases = {
  full: { section: 'full_attention', older: 'global_rope_theta', default: 160000 },
  sliding: { section: 'sliding_attention', older: 'local_rope_theta', default: 10000 },
};

/**
 * The base of the rotary frequencies of one kind of layer: in `rope_parameters`, by kind, since transformers 5. A scaling of
 * the frequencies, which no published checkpoint has, is ERR_UNSUPPORTED.
 */
export function rotaryBase(config: ModelConfig, kind: LayerKind): number {
  const { section, older, default: value } = bases[kind];
  const parameters = config.section('rope_parameters')?.section(section);
  const scaling = config.section('rope_scaling');
  for (const [where, type] of [
    [
      `rope_parameters.${section}.rope_type`,
      parameters?.string('rope_type', { default: 'default' }),
    ],
    [
      'rope_scaling.rope_type',
      scaling?.string('rope_type', { default: 'default', aliases: ['type'] }),
    ],
  ]) {
    if (type === undefined || type === 'default') continue;
    throw new HeddleError(
      'ERR_UNSUPPORTED',
      `config.json: ${where}: expected 'default', found '${type}'`,
      { where, found: type },
    );
  }
  const base = config.number(older, { min: 1, default: value });
  return parameters?.number('rope_theta', { min: 1, default: base }) ?? base;
}
