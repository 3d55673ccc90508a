/** Options of the commands that generate text, the same for all. */
import type { Command } from 'cac';
import { mismatch } from '../errors.js';
import { type GenerateOptions, kinds } from '../generation/options.js';
import { describeValue } from '../graph/options.js';

interface Flag {
  /** As it is written after `--`, with its value. */
  readonly usage: string;
  readonly about: string;
}

/** Flags whose values go as they are to the option of the same name, which says what they may be. */
const flags: Readonly<Partial<Record<keyof GenerateOptions, Flag>>> = {
  maxNewTokens: {
    usage: 'max-new-tokens <n>',
    about: 'The most tokens to generate (default: 256)',
  },
  temperature: {
    usage: 'temperature <t>',
    about: 'Draw tokens with this temperature; 0: take the best',
  },
  topK: { usage: 'top-k <n>', about: 'Draw from the n most probable tokens' },
  topP: { usage: 'top-p <p>', about: 'Draw from the fewest tokens that hold this probability' },
  minP: {
    usage: 'min-p <p>',
    about: "Draw from tokens with this share of the best one's probability",
  },
  typicalP: { usage: 'typical-p <p>', about: 'Draw from locally typical tokens' },
  repetitionPenalty: {
    usage: 'repetition-penalty <r>',
    about: 'Make tokens that were used less probable',
  },
  frequencyPenalty: {
    usage: 'frequency-penalty <f>',
    about: 'The same, for each use in the answer',
  },
  presencePenalty: {
    usage: 'presence-penalty <p>',
    about: 'The same, once for all uses in the answer',
  },
  seed: { usage: 'seed <n>', about: 'Draw the same tokens each time' },
};

export function withGenerationOptions(command: Command): Command {
  for (const { usage, about } of Object.values(flags)) command.option(`--${usage}`, about);
  return command.option('--stop <text>', 'End where this text appears; may be given several times');
}

/** @throws ERR_ARGUMENT naming the flag, before any model is opened. */
export function generationOptionsOf(options: Readonly<Record<string, unknown>>): GenerateOptions {
  const given: Record<string, unknown> = {};
  for (const [name, { usage }] of Object.entries(flags)) {
    const value = options[name];
    if (value === undefined) continue;
    const { expected, fits } = kinds[name as keyof typeof flags];
    if (!fits(value)) {
      const flag = `--${usage.split(' ')[0]}`;
      throw mismatch('ERR_ARGUMENT', flag, expected, describeValue(value));
    }
    given[name] = value;
  }
  const { stop } = options;
  if (stop !== undefined) given.stop = (Array.isArray(stop) ? stop : [stop]).map(String);
  return given;
}
