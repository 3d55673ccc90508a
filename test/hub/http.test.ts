import { expect, it } from 'vitest';
import { bodyOf, Patience } from '../../lib/hub/http.js';

/** An answer that neither ends nor hears of an abort, after its first piece. */
function stuck(patience: Patience): Parameters<typeof bodyOf>[0] {
  const body = new ReadableStream({ start: (stream) => stream.enqueue(Uint8Array.of(1, 2)) });
  return { response: new Response(body), url: new URL('http://127.0.0.1/file'), patience };
}

async function readAll(pieces: AsyncIterable<Uint8Array>, onPiece = (): void => {}): Promise<void> {
  for await (const _ of pieces) onPiece();
}

it('a read that never ends is left at an abort', async () => {
  const controller = new AbortController();
  const patience = new Patience(60_000, controller.signal);
  const reason = new Error('enough');
  const reading = readAll(bodyOf(stuck(patience), controller.signal), () => {
    setImmediate(() => controller.abort(reason));
  });
  await expect(reading).rejects.toBe(reason);
});

it('a read that never ends is left after a while', async () => {
  const reading = readAll(bodyOf(stuck(new Patience(20, undefined)), undefined));
  await expect(reading).rejects.toMatchObject({ code: 'ERR_NETWORK', fault: 'cut' });
});
