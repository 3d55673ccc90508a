/**
 * Decoders piece by piece: what each stage has given and gives at its end is, joined together, what the decoder gives for
 * all pieces at once. A stage holds back only what later pieces may still change.
 */

import { byteToken } from './byte_fallback.js';
import { bytesOf, createStep, type Step } from './decoder.js';
import { integer, type JsonObject, objectsOf, textOr, typeOf } from './tokenizer_json.js';

export interface Stage {
  push(piece: string): string[];
  finish(): string[];
}

type MakeStage = () => Stage;

/** Makes the stages of a tokenizer.json's decoder, anew for each text. @throws ERR_FORMAT, ERR_UNSUPPORTED. */
export function createStages(config: JsonObject | null, where: string): () => Stage[] {
  if (config === null) {
    return () => [byIndex((piece, index) => (index === 0 ? piece : ` ${piece}`))()];
  }
  const configs = flatten(config, where);
  const makers: MakeStage[] = [];
  let isFused = false;
  for (const [index, each] of configs.entries()) {
    const type = typeOf(each, where);
    const make = stageOf(each, type, isFused, where);
    if (make === undefined) {
      const steps = configs.slice(index).map((later) => createStep(later, where));
      const fuses = isFused;
      makers.push(() =>
        collected((pieces) =>
          steps.reduce((all, step) => step(all), fuses ? [pieces.join('')] : pieces),
        ),
      );
      break;
    }
    makers.push(make);
    isFused ||= type === 'Fuse' || type === 'ByteLevel';
  }
  return () => makers.map((make) => make());
}

function flatten(config: JsonObject, where: string): JsonObject[] {
  if (typeOf(config, where) !== 'Sequence') return [config];
  return objectsOf(config, 'decoders', where).flatMap((each) => flatten(each, where));
}

/** @returns undefined for what must see the whole text. */
function stageOf(
  config: JsonObject,
  type: string,
  isFused: boolean,
  where: string,
): MakeStage | undefined {
  const step = createStep(config, where);
  if (isFused) return type === 'Strip' ? strippedStart(config, where) : undefined;
  switch (type) {
    case 'ByteLevel':
      return byteLevel;
    case 'ByteFallback':
      return () => byteRuns(step);
    case 'Fuse':
      return byIndex((piece) => piece);
    case 'Replace':
    case 'Strip':
      return byIndex((piece) => step([piece]).join(''));
    case 'WordPiece':
    case 'Metaspace':
      // The first piece is treated differently, and nothing else of those before matters.
      return byIndex((piece, index) =>
        index === 0 ? step([piece]).join('') : step(['', piece]).slice(1).join(''),
      );
    case 'BPEDecoder':
      return () => untilNext(step);
    default:
      return undefined;
  }
}

function byIndex(change: (piece: string, index: number) => string): MakeStage {
  return () => {
    let index = 0;
    return { push: (piece) => [change(piece, index++)], finish: () => [] };
  };
}

/** A character is given with its last byte. */
function byteLevel(): Stage {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return {
    push: (piece) => [decoder.decode(Uint8Array.from(bytesOf([piece])), { stream: true })],
    finish: () => [decoder.decode()],
  };
}

/** A run of byte tokens is given with its end: until then each byte may turn all of them into U+FFFD. */
function byteRuns(step: Step): Stage {
  let run: string[] = [];
  const flush = (): string[] => {
    const pieces = run.length === 0 ? [] : step(run);
    run = [];
    return pieces;
  };
  return {
    push: (piece) => {
      if (!byteToken.test(piece)) return [...flush(), piece];
      run.push(piece);
      return [];
    },
    finish: flush,
  };
}

/** What depends on whether the piece is the last one. */
function untilNext(step: Step): Stage {
  let held: string | undefined;
  return {
    push: (piece) => {
      const pieces = held === undefined ? [] : step([held, piece]).slice(0, 1);
      held = piece;
      return pieces;
    },
    finish: () => (held === undefined ? [] : step([held])),
  };
}

/** `Strip` of a text whose pieces were fused, where it takes nothing from the end. */
function strippedStart(config: JsonObject, where: string): MakeStage | undefined {
  const content = textOr(config, 'content', ' ', where);
  if (content.length !== 1 || integer(config, 'stop', 0, where) > 0) return undefined;
  const start = integer(config, 'start', 0, where);
  return () => {
    let left = start;
    return {
      push: (piece) => {
        let from = 0;
        while (left > 0 && piece[from] === content) {
          from++;
          left--;
        }
        if (from < piece.length) left = 0;
        return [piece.slice(from)];
      },
      finish: () => [],
    };
  };
}

function collected(step: Step): Stage {
  const pieces: string[] = [];
  return {
    push: (piece) => {
      pieces.push(piece);
      return [];
    },
    finish: () => step(pieces),
  };
}
