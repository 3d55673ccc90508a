/** What a config.json says about rotary positions, in the spellings that there have been. */
import { HeddleError } from '../errors.js';
import type { RopeScaling } from '../layers/rope_scaling.js';
import type { ModelConfig } from './model_config.js';

export interface RopeConfig {
  readonly base: number;
  readonly scaling: RopeScaling;
  /** Factor of cosines and sines. */
  readonly attentionFactor: number;
  /** The part of each head that is turned. */
  readonly partial: number;
  /** Sequences of more positions take the second variant of the angles; Infinity where there is one alone. */
  readonly original: number;
}

export interface RopeOptions {
  /** Positions that the model has. */
  maxPositions: number;
  /** What older files call the base, and its default. */
  theta?: { name: string; default: number };
  /** What older files call the part that is turned, and its default; left out: the whole head is. */
  partial?: { name: string; default: number };
  /** `full_attention` or `sliding_attention`, where layers of both kinds have angles of their own. */
  layerType?: string;
  /** Whether `rope_scaling`, of older files, is for this kind of layer. */
  scaled?: boolean;
}

/** Reads `rope_parameters` (since transformers 5), else `rope_theta` and `rope_scaling`. @throws ERR_CONFIG, ERR_UNSUPPORTED. */
export function ropeConfig(config: ModelConfig, options: RopeOptions): RopeConfig {
  const { maxPositions, layerType, scaled = true } = options;
  const { theta = { name: 'rope_theta', default: 10000 }, partial } = options;
  const all = config.section('rope_parameters');
  const own = (layerType === undefined ? undefined : all?.section(layerType)) ?? all;
  const section = own ?? (scaled ? config.section('rope_scaling') : undefined);
  const base = config.number(theta.name, { min: 1, default: theta.default });
  const kind = section?.string('rope_type', { default: 'default', aliases: ['type'] }) ?? 'default';
  const { scaling, original, attentionFactor } = scalingOf(kind, section, config, maxPositions);
  const part = partial ? config.number(partial.name, { min: 0, default: partial.default }) : 1;
  const ownPart = partial && section?.number('partial_rotary_factor', { min: 0, default: part });
  return {
    base: section?.number('rope_theta', { min: 1, default: base }) ?? base,
    scaling,
    attentionFactor,
    partial: ownPart ?? part,
    original: scaling.kind === 'longrope' ? original : Infinity,
  };
}

function scalingOf(
  kind: string,
  section: ModelConfig | undefined,
  config: ModelConfig,
  maxPositions: number,
): { scaling: RopeScaling; original: number; attentionFactor: number } {
  const field = (name: string, fallback?: number): number => {
    if (section === undefined) return fallback ?? 1;
    return section.number(name, fallback === undefined ? {} : { default: fallback });
  };
  const name = 'original_max_position_embeddings';
  const inside = section?.integer(name, { min: 1, default: maxPositions }) ?? maxPositions;
  // Where the config has it outside as well, that one counts (Phi-3).
  const original = config.integer(name, { min: 1, default: inside });
  const stretch = maxPositions / original;
  switch (kind) {
    case 'default':
    case 'dynamic':
      return { scaling: { kind }, original, attentionFactor: 1 };
    case 'linear':
      return { scaling: { kind, factor: field('factor') }, original, attentionFactor: 1 };
    case 'llama3': {
      const [low, high] = [field('low_freq_factor'), field('high_freq_factor')];
      const scaling: RopeScaling = { kind, factor: field('factor'), low, high, original };
      return { scaling, original, attentionFactor: 1 };
    }
    case 'yarn': {
      const factor = field('factor', stretch);
      const [mscale, mscaleAll] = [field('mscale', 0), field('mscale_all_dim', 0)];
      const magnitude = (m: number): number => (factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1);
      const given = mscale && mscaleAll ? magnitude(mscale) / magnitude(mscaleAll) : magnitude(1);
      const scaling: RopeScaling = {
        kind,
        factor,
        original,
        betaFast: field('beta_fast', 32) || 32,
        betaSlow: field('beta_slow', 1) || 1,
        truncate: section?.boolean('truncate', { default: true }) ?? true,
      };
      return { scaling, original, attentionFactor: field('attention_factor', given) };
    }
    case 'longrope':
    case 'su': {
      const factor = field('factor', stretch);
      const given = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
      const short = section?.numberList('short_factor') ?? [];
      const long = section?.numberList('long_factor') ?? [];
      const scaling: RopeScaling = { kind: 'longrope', short, long };
      return { scaling, original, attentionFactor: field('attention_factor', given) };
    }
  }
  const known = 'default, linear, dynamic, yarn, longrope, llama3';
  throw new HeddleError(
    'ERR_UNSUPPORTED',
    `config.json: rope_type: expected one of ${known}, found '${kind}'`,
    { where: 'rope_type', expected: known, found: kind },
  );
}
