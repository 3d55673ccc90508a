/** The worker thread that tokenises long texts; see lib/text/async_tokenizer.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { HeddleError } from '../errors.js';
import { Tokenizer } from '../text/tokenizer.js';
import type {
  TokenizerReply,
  TokenizerRequest,
  TokenizerThreadData,
} from '../text/tokenizer_messages.js';

const loading = Tokenizer.load((workerData as TokenizerThreadData).path);
loading.catch(() => {}); // each request answers with it

parentPort!.on('message', async ({ job, text, options, withOffsets }: TokenizerRequest) => {
  let reply: TokenizerReply;
  const buffers: ArrayBuffer[] = [];
  try {
    const encoding = (await loading).encodeCompact(text, options, withOffsets);
    for (const array of [encoding.ids, encoding.typeIds, encoding.offsets]) {
      if (array !== undefined) buffers.push(array.buffer as ArrayBuffer);
    }
    reply = { job, encoding };
  } catch (error) {
    const code = error instanceof HeddleError ? error.code : 'ERR_ENGINE';
    reply = { job, error: { code, message: (error as Error).message } };
  }
  parentPort!.postMessage(reply, buffers);
});
