/** One file from the hub into `blobs`: resumed where it was cut, and checked before it gets its name. */
import { createHash, type Hash } from 'node:crypto';
import { dirname } from 'node:path';
import { type Answer, bodyOf, get, type Repository, withRetries } from './http.js';
import type { HubFile } from './hub_api.js';
import { HubError, nonsense, shown } from './hub_error.js';
import { PartialFile } from './partial_file.js';

/** Less than this since the last cut is no progress: a connection that always ends is given up. */
const leastProgress = 2 ** 20;

/**
 * Downloads a file of a commit to `target`. What has come stays beside it when this fails or the process is killed, and is
 * continued the next time. To be called under the lock of the file's hash.
 * @param onBytes gets the number of bytes that are there.
 * @throws HubError: ERR_NETWORK, ERR_AUTH, ERR_NOT_FOUND; the signal's reason; errors of the file system.
 */
export async function downloadFile(
  repository: Repository,
  commit: string,
  file: HubFile,
  target: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const part = await PartialFile.claim(dirname(target), file.hash);
  try {
    const download = new Download(repository, commit, file, part, onBytes);
    await download.takeOver();
    await withRetries(repository, ['busy', 'cut', 'unreachable'], (progressed) =>
      download.fetchRest(progressed),
    );
    await part.finish(target);
  } finally {
    await part.leave();
  }
}

class Download {
  private position = 0;
  private hash: Hash;
  /** Whether the bytes come from more than one answer: the first ones may be what is wrong. */
  private mixed = false;
  private readonly url: URL;

  constructor(
    private readonly repository: Repository,
    commit: string,
    private readonly file: HubFile,
    private readonly part: PartialFile,
    private readonly onBytes: (bytes: number) => void,
  ) {
    this.hash = this.beginHash();
    const path = file.path.split('/').map(encodeURIComponent).join('/');
    const { endpoint } = repository.settings;
    this.url = new URL(`${endpoint}/${repository.id}/resolve/${commit}/${path}`);
  }

  /** Reads what an earlier download left: the hash is of all bytes. */
  async takeOver(): Promise<void> {
    const size = await this.part.size();
    if (size > this.file.size) return this.startAgain();
    const buffer = new Uint8Array(2 ** 20);
    while (this.position < size) {
      const bytes = await this.part.read(buffer, this.position);
      if (bytes === 0) break;
      this.take(buffer.subarray(0, bytes));
      this.repository.signal?.throwIfAborted();
    }
    this.mixed = this.position > 0;
  }

  /** Fetches what is missing, and checks the whole. Wrong bytes of several answers are fetched once more, as one. */
  async fetchRest(progressed: () => void): Promise<void> {
    const { file } = this;
    for (;;) {
      if (this.position < file.size) await this.fetchFrom(this.position, progressed);
      const found = this.hash.digest('hex');
      if (found === file.hash) return;
      const isLast = !this.mixed;
      await this.startAgain();
      if (isLast) {
        throw nonsense(shown(this.url), `bytes with the hash ${file.hash}`, `the hash ${found}`);
      }
    }
  }

  private async fetchFrom(start: number, progressed: () => void): Promise<void> {
    const { repository, file } = this;
    const answer = await get(repository, this.url, {
      timeout: repository.settings.stallTimeout,
      path: file.path,
      headers: start > 0 ? { range: `bytes=${start}-` } : {},
    });
    try {
      this.checkLength(answer);
      if (answer.response.status === 206) this.mixed ||= start > 0;
      else if (start > 0) await this.startAgain(); // ranges are not for every server
    } catch (error) {
      answer.patience.end();
      throw error;
    }
    const begin = this.position;
    for await (const piece of bodyOf(answer, repository.signal)) {
      if (this.position + piece.length > file.size) {
        throw this.wrongLength(answer, `more than ${file.size}`);
      }
      await this.part.write(piece, this.position);
      this.take(piece);
      if (this.position - begin >= leastProgress) progressed();
    }
    if (this.position < file.size) {
      const where = shown(this.url);
      const [expected, found] = [`${file.size} bytes`, `${this.position}`];
      const message = `${where}: the connection was cut: expected ${expected}, found ${found}; try again`;
      throw new HubError('cut', 'ERR_NETWORK', message, { where, expected, found });
    }
  }

  /** Before a byte is written: a page of HTML, or another file, seldom has the right length. */
  private checkLength(answer: Answer): void {
    const { status, headers } = answer.response;
    if (status === 206) {
      const given = headers.get('content-range') ?? 'none';
      const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(given) ?? [];
      if (Number(start) !== this.position) {
        throw nonsense(shown(answer.url), `a range from byte ${this.position}`, given);
      }
      if (total !== '*' && Number(total) !== this.file.size) {
        throw this.wrongLength(answer, `${total}`);
      }
      return;
    }
    const length = headers.get('content-length');
    const isPacked = headers.has('content-encoding'); // against our wish: `fetch` unpacks it
    if (length !== null && !isPacked && Number(length) !== this.file.size) {
      throw this.wrongLength(answer, length);
    }
  }

  private wrongLength({ response, url }: Answer, found: string): HubError {
    const type = response.headers.get('content-type') ?? 'no content type';
    return nonsense(shown(url), `${this.file.size} bytes`, `${found} bytes (${type})`);
  }

  private take(piece: Uint8Array): void {
    this.hash.update(piece);
    this.position += piece.length;
    this.onBytes(this.position);
  }

  private async startAgain(): Promise<void> {
    await this.part.clear();
    this.position = 0;
    this.mixed = false;
    this.hash = this.beginHash();
    this.onBytes(0);
  }

  private beginHash(): Hash {
    const { hash, size } = this.file;
    // git's name of a blob covers its length too (Pro Git, 10.2).
    return hash.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
  }
}
