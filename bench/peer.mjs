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
import { instructionSets } from './instruction_sets.mjs';

/** Where bench/peers/setup.sh puts the peers. */
export const peersHome = process.env.PEERS_HOME ?? join(homedir(), '.cache', 'heddle-peers');
export const python = join(peersHome, 'venv', 'bin', 'python');
export const program = (name) => join(peersHome, 'bin', name);
export const script = (name) => fileURLToPath(new URL(`./peers/${name}`, import.meta.url));

const notInstalled = 'not installed (bash bench/peers/setup.sh)';
/** What engines say where a package or a model is missing. */
const absent = /No module named|Cannot find (module|package)|NO_SUCHFILE|Unable to open file/;

export class Peer {
  #process;
  #lines;
  #ended;
  #errors = '';

  /** Starts it. Where that fails, `reason` says why and there is no `measure`. */
  static async start(label, command, args, env = {}) {
    const peer = new Peer();
    peer.name = label;
    if (!existsSync(command)) {
      peer.reason = notInstalled;
      return peer;
    }
    const environment = { ...process.env, ...instructionSets(), ...env };
    peer.#process = spawn(command, args.map(String), { env: environment, stdio: 'pipe' });
    peer.#ended = new Promise((resolve) => peer.#process.on('close', resolve));
    peer.#process.on('error', () => {}); // then stdout ends, and #answer says so
    peer.#process.stdin.on('error', () => {});
    peer.#process.stderr.on('data', (text) => {
      peer.#errors = (peer.#errors + text).slice(-2000);
    });
    peer.#lines = createInterface({ input: peer.#process.stdout })[Symbol.asyncIterator]();
    try {
      peer.name = (await peer.#answer()).name;
    } catch (error) {
      const missing = absent.test(error.message);
      peer.reason = missing ? notInstalled : error.message;
      await peer.stop();
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

  /**
   * As `measure`, for a case that the peer may have nothing for on this CPU.
   * @returns {Promise<{ name: string, reason?: string, measure?: (reps: number) => Promise<number[]> }>}
   */
  async prepared(kase) {
    const { name, reason } = this;
    if (reason !== undefined) return { name, reason };
    try {
      await this.ask({ ...kase, reps: 1 });
      return { name, measure: this.measure(kase) };
    } catch (error) {
      return { name, reason: error.message };
    }
  }

  /** Ends it, and waits until it has. */
  async stop() {
    this.#process?.kill();
    await this.#ended;
  }

  async #answer() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(this.#errors.trim().split('\n').at(-1) || 'ended without an answer');
    const answer = JSON.parse(value);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }
}
