/**
 * Another engine, in a process of its own: engines that share one slow each other down by threads that spin
 * for work. Its stdin takes one JSON object a line, its stdout answers each with one; the first line it
 * prints, unasked, is `{ "name": … }`, or `{ "error": … }` where it cannot run.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Where bench/peers/setup.sh puts the peers. */
export const peersHome = process.env.PEERS_HOME ?? join(homedir(), '.cache', 'heddle-peers');
export const python = join(peersHome, 'venv', 'bin', 'python');
export const script = (name) => fileURLToPath(new URL(`./peers/${name}`, import.meta.url));

export class Peer {
  #process;
  #lines;
  #errors = '';

  /** Starts it. Where that fails, `reason` says why and there is no `measure`. */
  static async start(label, command, args, env = {}) {
    const peer = new Peer();
    peer.name = label;
    if (!existsSync(command)) {
      peer.reason = 'not installed (bench/peers/setup.sh)';
      return peer;
    }
    peer.#process = spawn(command, args, { env: { ...process.env, ...env }, stdio: 'pipe' });
    peer.#process.on('error', () => {}); // then stdout ends, and #answer says so
    peer.#process.stdin.on('error', () => {});
    peer.#process.stderr.on('data', (text) => {
      peer.#errors = (peer.#errors + text).slice(-2000);
    });
    peer.#lines = createInterface({ input: peer.#process.stdout })[Symbol.asyncIterator]();
    try {
      peer.name = (await peer.#answer()).name;
    } catch (error) {
      peer.reason = error.message;
      peer.stop();
    }
    return peer;
  }

  /** Sends a request and gives its answer. */
  ask(request) {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    return this.#answer();
  }

  /** The contestant (alternate.mjs) for one case, or undefined where the peer is absent. */
  measure(kase) {
    if (this.reason !== undefined) return undefined;
    return async (reps) => (await this.ask({ ...kase, reps })).ms;
  }

  stop() {
    this.#process?.kill();
  }

  async #answer() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(this.#errors.trim().split('\n').at(-1) || 'ended without an answer');
    const answer = JSON.parse(value);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }
}
