/** Optimisers and schedules by the names and options that a training run's file has for them. */
import { type JsonFields, ownField } from '../checkpoints/json_file.js';
import { HeddleError, mismatch } from '../errors.js';
import { adafactor } from '../train/adafactor.js';
import { muon } from '../train/muon.js';
import { adam, adamW, lion, type Optimizer, sgd } from '../train/optimizers.js';
import { constant, cosine, linear, noam, type Schedule } from '../train/schedules.js';
import { nearest } from './nearest.js';

const optimizers: Readonly<Record<string, (options: never) => Optimizer>> = {
  sgd,
  adam,
  adamW,
  adafactor,
  lion,
  muon,
};

/** @throws ERR_CONFIG naming `where` and the key. */
export function optimizerOf(fields: JsonFields, where: string): Optimizer {
  const { name: _, ...options } = fields;
  const make = named(optimizers, ownField(fields, 'name'), `${where}.name`);
  return inConfig(where, () => make(options as never));
}

/** @param steps of the run, over which rates fall. */
export function scheduleOf(given: number | JsonFields, steps: number, where: string): Schedule {
  if (typeof given === 'number') return constant({ peak: given });
  const { schedule: _, ...options } = given;
  const schedules: Readonly<Record<string, [keys: string[], make: (options: never) => Schedule]>> =
    {
      constant: [['peak', 'warmup'], constant],
      linear: [['peak', 'warmup', 'floor'], (of: object) => linear({ steps, ...of } as never)],
      cosine: [['peak', 'warmup', 'floor'], (of: object) => cosine({ steps, ...of } as never)],
      noam: [['width', 'warmup', 'factor'], noam],
    };
  const [keys, make] = named(schedules, ownField(given, 'schedule'), `${where}.schedule`);
  const wrong = Object.keys(options).find((key) => !keys.includes(key));
  if (wrong !== undefined) {
    const expected = `only schedule, ${keys.join(', ')}`;
    throw mismatch('ERR_CONFIG', `${where}.${wrong}`, expected, 'another key');
  }
  return inConfig(where, () => make(options as never));
}

function named<T>(table: Readonly<Record<string, T>>, name: unknown, where: string): T {
  const found = typeof name === 'string' && Object.hasOwn(table, name) ? table[name] : undefined;
  if (found !== undefined) return found;
  const other = typeof name === 'string' ? nearest(name, Object.keys(table)) : undefined;
  const expected = other === undefined ? `one of ${Object.keys(table).join(', ')}` : `'${other}'`;
  throw mismatch('ERR_CONFIG', where, expected, `'${String(name)}'`);
}

/** What a wrong option is, is a mistake of the file. */
export function inConfig<T>(where: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    if (!(cause instanceof HeddleError)) throw cause;
    throw new HeddleError('ERR_CONFIG', `${where}: ${cause.message}`, { where, cause });
  }
}
