/** Callers that each send one request after the other, the same for both sides of bench/requests.mjs. */

/** @returns milliseconds until each of `callers` has had `each` answers of `embed`. */
export async function serve(embed, texts, callers, each) {
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let i = 0; i < each; i++) await embed(texts[(caller * each + i) % texts.length]);
    }),
  );
  return performance.now() - begin;
}

/** Milliseconds by which a 5 ms timer comes late, each time, while `job` runs `times` times: what the event loop was held for. */
export async function latenessWhile(job, times) {
  const late = [];
  let due = performance.now() + 5;
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(Math.max(0, now - due));
    due = now + 5;
  }, 5);
  for (let i = 0; i < times; i++) await job();
  clearInterval(timer);
  return late;
}

/** The most of them. */
export async function lateWhile(job, times) {
  return Math.max(0, ...(await latenessWhile(job, times)));
}
