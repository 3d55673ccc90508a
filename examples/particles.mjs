/**
 * Tokens under self-attention gather in clusters: prints how many there are over time, for several inverse temperatures.
 *
 *   node examples/particles.mjs [n] [d] [time]
 */
import { particles } from 'heddle';

const [n, d, time] = [64, 3, 30].map((usual, i) => Number(process.argv[2 + i] ?? usual));
const samples = 7;

console.log(`${n} tokens on the sphere of ${d} coordinates: clusters over time`);
for (const beta of [0.5, 2, 8, 32]) {
  const { times, clusters } = await particles({ n, d, beta, time, samples, tolerance: 1e-4 });
  const line = times.map((t, i) => `t = ${t.toFixed(0)}: ${clusters[i]}`.padEnd(12));
  console.log(`β = ${beta}`.padEnd(9), line.join(' ').trimEnd());
}
