/** @huggingface/transformers as a peer (bench/peer.mjs): requests_transformers.mjs MODEL THREADS */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { peersHome } from '../peer.mjs';
import { lateWhile, serve } from '../requests/callers.mjs';

const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
try {
  const [folder, threads] = process.argv.slice(2);
  const require = createRequire(join(peersHome, 'js', 'package.json'));
  const main = require.resolve('@huggingface/transformers');
  const { pipeline, env } = require(main);
  const { version } = require(join(dirname(main), '..', 'package.json'));
  env.allowRemoteModels = false;
  env.localModelPath = dirname(folder);
  const extract = await pipeline('feature-extraction', folder.slice(dirname(folder).length + 1), {
    dtype: 'fp32',
    device: 'cpu',
    session_options: { intraOpNumThreads: Number(threads) },
  });
  const embed = (text) => extract(text, { pooling: 'mean', normalize: true });
  answer({ name: `@huggingface/transformers ${version}` });
  for await (const line of createInterface({ input: process.stdin })) {
    const { texts, callers, each, reps, late } = JSON.parse(line);
    const once = () => serve(embed, texts, callers, each);
    if (late !== undefined) {
      answer({ late: await lateWhile(once, late) });
      continue;
    }
    const ms = [];
    for (let i = 0; i < reps; i++) ms.push(await once());
    answer({ ms });
  }
} catch (error) {
  answer({
    error:
      error.code === 'MODULE_NOT_FOUND' ? 'not installed (bench/peers/setup.sh)' : error.message,
  });
}
