/** What the hub's API says of a model: the commit of a revision, and the files of a commit. */
import { isCommit } from '../checkpoints/hub_cache.js';
import { HeddleError } from '../errors.js';
import { bodyOf, get, type Repository, withRetries } from './http.js';
import { type HubError, nonsense, shown } from './hub_error.js';

export interface HubFile {
  /** From the top of the repository, with forward slashes. */
  readonly path: string;
  readonly size: number;
  /** Of the contents: SHA-256 where the file is kept by LFS, else that of git's blob (SHA-1). Also the name of its blob in the cache. */
  readonly hash: string;
}

/** The answers' own bounds: of one page of 1000 files, and of pages. */
const largestAnswer = 32_000_000;
const mostPages = 100;

/**
 * The commit that a branch or tag is.
 * @param patient whether to try again where the hub is busy or the connection is cut.
 * @throws HubError; the signal's reason.
 */
export async function commitOf(repository: Repository, patient: boolean): Promise<string> {
  const { id, revision, settings } = repository;
  const { modelInfo } = await hub();
  const where = `${settings.endpoint}/api/models/${id}/revision/${revision}`;
  const { sha } = await trusting(where, () =>
    modelInfo({
      name: id,
      revision,
      additionalFields: ['sha'],
      hubUrl: settings.endpoint,
      fetch: jsonFetch(repository, patient),
    }),
  );
  if (typeof sha !== 'string' || !isCommit(sha)) {
    throw nonsense(where, "a commit in 'sha'", describe(sha));
  }
  return sha;
}

/** All files of a commit, by path. @throws HubError, also for names and hashes that none can have; the signal's reason. */
export async function filesOf(
  repository: Repository,
  commit: string,
): Promise<Map<string, HubFile>> {
  const { id, settings } = repository;
  const { listFiles } = await hub();
  const where = `${settings.endpoint}/api/models/${id}/tree/${commit}`;
  return trusting(where, async () => {
    const files = new Map<string, HubFile>();
    const entries = listFiles({
      repo: id,
      revision: commit,
      recursive: true,
      hubUrl: settings.endpoint,
      fetch: jsonFetch(repository, true),
    });
    for await (const { type, path, size, oid, lfs } of entries) {
      if (type === 'directory') continue;
      if (typeof path !== 'string' || !isPlainPath(path)) {
        throw nonsense(where, 'names of files in the repository', describe(path));
      }
      const hash = lfs ? lfs.oid : oid;
      const bytes = lfs ? lfs.size : size;
      if (typeof hash !== 'string' || !(lfs ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/).test(hash)) {
        throw nonsense(where, `a hash of ${path}`, describe(hash));
      }
      if (!Number.isSafeInteger(bytes) || bytes < 0) {
        throw nonsense(where, `the size of ${path}`, describe(bytes));
      }
      files.set(path, { path, size: bytes, hash });
    }
    return files;
  });
}

/** Taken up when it is needed: a model that is opened from the cache alone does not wait for it. */
const hub = (): Promise<typeof import('@huggingface/hub')> => import('@huggingface/hub');

/** A path that stays in the folder it is joined to, on every system. */
function isPlainPath(path: string): boolean {
  const isPlain = (part: string): boolean => part !== '' && part !== '.' && part !== '..';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return path.split('/').every(isPlain) && !/[\\:\u0000-\u001f]/.test(path);
}

function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** Runs a call of the library. What it throws beside what our `fetch` did comes from fields that it misses. */
async function trusting<T>(where: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof FetchFailure) throw cause.reason;
    if (cause instanceof HeddleError) throw cause;
    throw nonsense(where, 'what the hub says of a model', (cause as Error).message, cause);
  }
}

/** Carries any reason, the signal's too, through the library. */
class FetchFailure extends Error {
  constructor(readonly reason: unknown) {
    super('the request failed');
  }
}

/** The `fetch` that the library gets: it gives JSON, or throws. */
function jsonFetch(repository: Repository, patient: boolean): typeof fetch {
  let pages = 0;
  return async (address) => {
    try {
      const url = new URL(String(address));
      if (++pages > mostPages) throw nonsense(shown(url), `at most ${mostPages} pages`, 'more');
      const faults: HubError['fault'][] = patient ? ['busy', 'cut'] : [];
      return await withRetries(repository, faults, () => getJson(repository, url));
    } catch (reason) {
      throw new FetchFailure(reason);
    }
  };
}

async function getJson(repository: Repository, address: URL): Promise<Response> {
  const { settings, signal } = repository;
  const answer = await get(repository, address, {
    timeout: settings.answerTimeout,
    headers: { accept: 'application/json' },
  });
  const where = shown(answer.url);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of bodyOf(answer, signal)) {
    bytes += piece.length;
    if (bytes > largestAnswer) throw nonsense(where, `at most ${largestAnswer} bytes`, 'more');
    pieces.push(piece);
  }
  const text = new TextDecoder().decode(Buffer.concat(pieces));
  const headers = new Headers({ 'content-type': 'application/json' });
  const link = answer.response.headers.get('link');
  if (link !== null) headers.set('link', link);
  try {
    JSON.parse(text);
  } catch (cause) {
    const type = answer.response.headers.get('content-type') ?? 'no content type';
    throw nonsense(where, 'JSON', `${bytes} bytes that are none (${type})`, cause);
  }
  return new Response(text, { headers });
}
