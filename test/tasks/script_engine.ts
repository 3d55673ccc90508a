import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GenerationDefaults } from '../../lib/generation/options.js';
import type { DecoderEngine, StepItem } from '../../lib/models/decoder_engine.js';
import { TextGenerator } from '../../lib/tasks/text_generator.js';
import { AsyncTokenizer } from '../../lib/text/async_tokenizer.js';
import { ChatTemplates } from '../../lib/text/chat_templates.js';
import { Tokenizer } from '../../lib/text/tokenizer.js';
import { bestOf } from '../generation/table_engine.js';

interface ScriptSequence {
  ids: number[];
  made: number;
}

/** A model that answers every prompt with the same ids, and then with the first of them for ever. */
export class ScriptEngine implements DecoderEngine {
  readonly maxPositions = 200;
  open = 0;
  readonly prompts: number[][] = [];

  constructor(
    readonly vocabSize: number,
    public answer: readonly number[],
  ) {}

  begin(): ScriptSequence {
    this.open++;
    return { ids: [], made: -1 };
  }

  fork({ ids, made }: ScriptSequence): ScriptSequence {
    this.open++;
    return { ids: [...ids], made };
  }

  free(): void {
    this.open--;
  }

  async step(
    batch: readonly (StepItem & { sequence: ScriptSequence })[],
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<Float32Array[]> {
    await new Promise(setImmediate);
    signal?.throwIfAborted();
    return batch.map(({ sequence, ids, wantsLogits }) => {
      if (sequence.made === -1) this.prompts.push([...ids]);
      sequence.ids.push(...ids);
      sequence.made++;
      const logits = new Float32Array(this.vocabSize);
      logits[this.answer[sequence.made] ?? this.answer[0]!] = 20;
      return wantsLogits === 'best' ? bestOf(logits) : logits;
    });
  }
}

const fixtures = join(import.meta.dirname, '../fixtures');

/** A generator that answers with a text, over GPT-2's tokenizer and a template of the kind that tools go through. */
export async function scripted(answer: string, defaults: GenerationDefaults = {}) {
  const tokenizer = await Tokenizer.load(join(fixtures, 'tokenizers/gpt2_bpe'));
  const end = tokenizer.tokenToId('<|endoftext|>')!;
  const engine = new ScriptEngine(tokenizer.idBound, [...tokenizer.encode(answer).ids, end]);
  const source = readFileSync(join(fixtures, 'chat/templates/chatml.jinja'), 'utf8');
  const chatTemplates = new ChatTemplates(
    new Map([['default', { source, where: 'chatml' }]]),
    {},
    'a folder',
  );
  const generator = new TextGenerator({
    engine,
    tokenizer: new AsyncTokenizer(tokenizer, new URL('file:///none.mjs')),
    chatTemplates,
    vocabSize: tokenizer.idBound,
    limits: { vocabSize: tokenizer.idBound, contextLength: 200 },
    defaults: { eosTokenId: end, ...defaults },
  });
  return { generator, engine, tokenizer, end };
}
