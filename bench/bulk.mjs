/**
 * 10,000 texts in one `embed` call with all-MiniLM-L6-v2. Two things: the speed beside that of the same call whose
 * tokenizer only looks up what it has made before, so that the ratio is what tokenising leaves; and, for texts of 8 to 256
 * tokens, the most memory that the process takes beyond what it has when loaded and idle.
 */
import { load } from '../dist/index.mjs';
import { minilmFolder } from '../scripts/fetch-minilm.mjs';
import { addon } from './addon.mjs';
import { row } from './row.mjs';
import { meanTokens, sentences as texts } from './texts.mjs';

export async function bench({ quick, threads, log }) {
  const model = await load(await minilmFolder(), { dtype: 'float32' });
  const count = quick ? 64 : 10_000;
  const sentences = Array.from({ length: count }, (_, i) => `${texts[i % texts.length]} ${i}`);
  const { tokenizer } = model;
  const own = tokenizer.encodeCompact;
  const made = new Map();
  const remember = (text, ...rest) => {
    const encoding = own.call(tokenizer, text, ...rest);
    made.set(text, encoding);
    return encoding;
  };
  const timed = async (encodeCompact) => {
    tokenizer.encodeCompact = encodeCompact;
    const begin = performance.now();
    await model.embed(sentences);
    return performance.now() - begin;
  };
  await timed(remember);
  const times = { tokenised: [], known: [] };
  for (let round = 0; round < (quick ? 1 : 2); round++) {
    times.tokenised.push(await timed(own));
    times.known.push(await timed((text) => made.get(text)));
    log(`${count} sentences, round ${round + 1}`);
  }
  made.clear();
  tokenizer.encodeCompact = own;
  const [ours, theirs] = [median(times.tokenised), median(times.known)];
  const speeds = row({
    name: 'bulk',
    kase: `${count} sentences, against their ids known`,
    threads,
    unit: 'texts/s',
    amount: 1000 * count,
    result: { ours, theirs, runs: times.known.length, spread: spread(times.tokenised) },
    peer: { name: 'Heddle, not tokenising' },
    more: { texts: count, meanTokens },
  });
  return [speeds, await memory(model, count, threads)];
}

/** Megabytes of resident memory, sampled, over those before the call. */
async function memory(model, count, threads) {
  // One to six sentences: 8 to 256 tokens, at which the model cuts.
  const long = Array.from({ length: count }, (_, i) =>
    Array.from({ length: 1 + (i % 6) }, (_, j) => texts[(i * 7 + j) % texts.length]).join(' '),
  );
  await model.embed(long.slice(0, 32));
  const megabytes = () => process.memoryUsage.rss() / 1e6;
  const idle = megabytes();
  let peak = idle;
  const timer = setInterval(() => {
    peak = Math.max(peak, megabytes());
  }, 10);
  const vectors = await model.embed(long);
  clearInterval(timer);
  peak = Math.max(peak, megabytes());
  return {
    name: 'bulk',
    case: `${vectors.length} texts of 8 to 256 tokens, memory beyond idle`,
    heddle: Number((peak - idle).toFixed(1)),
    peer: null,
    peerName: '',
    ratio: null,
    unit: 'MB',
    threads,
    dtype: 'float32',
    isa: addon().info().isa,
    runs: 1,
    spread: 0,
  };
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const spread = (values) => (Math.max(...values) - Math.min(...values)) / median(values);
