/** Every task against Python's pipelines, on the checkpoints that scripts/fixtures/tasks.py made. */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { type Pipeline, pipeline, type Task } from '../../lib/tasks/pipeline.js';
import { fixture } from './tiny_model.js';

interface Case {
  model: string;
  task: Task;
  args: (string | string[] | object)[];
  options: Record<string, unknown>;
  result: unknown;
}

const cases = JSON.parse(readFileSync(fixture('tasks/tasks.json'), 'utf8')) as Case[];
const opened = new Map<string, Promise<Pipeline>>();
afterAll(async () => {
  for (const opening of opened.values()) await (await opening).dispose();
});

function open({ task, model }: Case): Promise<Pipeline> {
  const key = `${task} ${model}`;
  const opening = opened.get(key) ?? pipeline(task, fixture(`tasks/${model}`));
  opened.set(key, opening as Promise<Pipeline>);
  return opening as Promise<Pipeline>;
}

/** A place among Python's characters as one among UTF-16 units. */
const units = (text: string, place: number): number => [...text].slice(0, place).join('').length;

/** Python's result in the shape of JavaScript's: scores to four digits, places in units, and the quirks below. */
function expected({ task, args, options, result }: Case): unknown {
  const text = String(args[task === 'question-answering' ? 1 : 0]);
  const shape = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shape);
    if (typeof value !== 'object' || value === null) return value;
    const found = { ...(value as Record<string, unknown>) };
    if ('score' in found) found.score = expect.closeTo(found.score as number, 4);
    if ('scores' in found) {
      found.scores = (found.scores as number[]).map((score) => expect.closeTo(score, 4));
    }
    for (const place of ['start', 'end']) {
      if (place in found) found[place] = units(text, found[place] as number);
    }
    // JavaScript gives a token's word decoded, Python as the vocabulary spells it.
    if ('entity' in found) found.word = expect.any(String);
    // Python decodes the bytes of each token alone first, which breaks letters that two tokens share.
    if (String(found.word).includes('\ufffd')) found.word = expect.any(String);
    return found;
  };
  const shaped = shape(result);
  if (task !== 'question-answering') return shaped;
  // Python gives an answer that is the only one in no list.
  return options.top_k === undefined || Array.isArray(shaped) ? shaped : [shaped];
}

const titled = cases.map((one) => {
  const options = JSON.stringify(one.options);
  return { title: `${one.task} of ${one.model} with ${options}: ${one.args[0]}`, one };
});

describe('tasks give what Python gives', () => {
  it.each(titled)('$title', async ({ one }) => {
    const call = (await open(one)) as (...args: unknown[]) => Promise<unknown>;
    const several = one.task === 'fill-mask' && String(one.args[0]).split('mask').length > 2;
    const isMulti = several || /\[MASK\].*\[MASK\]/.test(String(one.args[0]));
    const options = isMulti ? { ...one.options, masks: 'all' } : one.options;
    expect(await call(...one.args, options)).toEqual(expected(one));
  });

  it('has cases of every task but feature extraction', () => {
    expect(new Set(cases.map(({ task }) => task)).size).toBe(5);
  });
});
