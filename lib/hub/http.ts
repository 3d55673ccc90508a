/** Requests to the hub: redirects, the token, time limits, retries. */
import { setTimeout as wait } from 'node:timers/promises';
import type { HubSettings } from '../checkpoints/hub_cache.js';
import { HubError, nonsense, type Subject, shown, statusError } from './hub_error.js';

/** A model at a revision, and what it takes to ask for it. */
export interface Repository {
  readonly settings: HubSettings;
  readonly id: string;
  readonly revision: string;
  readonly signal: AbortSignal | undefined;
}

/** An answer of which only the head has come. */
export interface Answer {
  readonly response: Response;
  /** Where it came from, after redirects. */
  readonly url: URL;
  readonly patience: Patience;
}

/** The hub sends a file's reader on once, a renamed model's twice. */
const mostRedirects = 5;
const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status);

/** Ends a request when the caller aborts, or when nothing has come for a while. */
export class Patience {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private readonly onAbort = (): void => this.controller.abort();
  /** Whether the time was over. */
  expired = false;

  constructor(
    readonly ms: number,
    private readonly caller: AbortSignal | undefined,
  ) {
    this.timer = setTimeout(() => {
      this.expired = true;
      this.controller.abort();
    }, ms);
    if (caller?.aborted) this.controller.abort();
    else caller?.addEventListener('abort', this.onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Something has come. */
  renew(): void {
    this.timer.refresh();
  }

  /** To be called when the answer has been read, or is not wanted: closes what is still open. */
  end(): void {
    clearTimeout(this.timer);
    this.caller?.removeEventListener('abort', this.onAbort);
    this.controller.abort();
  }
}

/**
 * A GET that follows redirects by itself: the token goes to the endpoint's origin only, and https is never left.
 * @param path names the file in errors, where it is one. @throws HubError for every answer but 2xx; the signal's reason.
 */
export async function get(
  repository: Repository,
  address: URL,
  options: { timeout: number; headers?: Record<string, string>; path?: string },
): Promise<Answer> {
  const { settings, signal } = repository;
  const patience = new Patience(options.timeout, signal);
  try {
    let url = address;
    for (let redirects = 0; redirects <= mostRedirects; redirects++) {
      const response = await fetch(url, {
        headers: { ...options.headers, ...headersFor(url, settings) },
        redirect: 'manual',
        signal: patience.signal,
      });
      if (response.ok) return { response, url, patience };
      const location = response.headers.get('location');
      if (!isRedirect(response.status) || location === null) {
        throw statusError(response, url, subjectOf(repository, options.path));
      }
      await response.body?.cancel();
      url = redirected(location, url);
    }
    throw nonsense(shown(address), `at most ${mostRedirects} redirects`, 'more');
  } catch (cause) {
    patience.end();
    throw requestError(cause, address, patience, signal);
  }
}

function headersFor(url: URL, { endpoint, token }: HubSettings): Record<string, string> {
  const isHub = url.origin === new URL(endpoint).origin;
  return {
    'user-agent': 'heddle',
    'accept-encoding': 'identity', // lengths and ranges are those of the file
    ...(isHub && token !== undefined ? { authorization: `Bearer ${token}` } : {}),
  };
}

function redirected(location: string, from: URL): URL {
  if (!URL.canParse(location, from.href)) {
    throw nonsense(shown(from), 'a redirect to an address', 'something else');
  }
  const to = new URL(location, from);
  if (to.protocol !== 'https:' && to.protocol !== from.protocol) {
    throw nonsense(shown(from), `a redirect to ${from.protocol}`, to.protocol);
  }
  return to;
}

function subjectOf(repository: Repository, path: string | undefined): Subject {
  const { id, revision, settings } = repository;
  const subject = {
    id,
    revision,
    endpoint: settings.endpoint,
    hasToken: settings.token !== undefined,
  };
  return path === undefined ? subject : { ...subject, path };
}

const connecting =
  /^(E(NOTFOUND|AI_AGAIN|CONNREFUSED|HOSTUNREACH|NETUNREACH|NETDOWN|TIMEDOUT)|UND_ERR_CONNECT_TIMEOUT)$/;
const certificate = /CERT|SIGNATURE|^ERR_(SSL|TLS)/;

function requestError(
  cause: unknown,
  url: URL,
  patience: Patience,
  signal: AbortSignal | undefined,
): unknown {
  if (signal?.aborted) return signal.reason;
  if (cause instanceof HubError) return cause;
  const where = shown(url);
  const details = { where, cause };
  if (patience.expired) {
    const message = `${where}: no answer within ${patience.ms / 1000} s; check the network, or allow more time in HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT`;
    return new HubError('cut', 'ERR_NETWORK', message, details);
  }
  const reason = (cause as Error).cause as NodeJS.ErrnoException | undefined;
  const code = reason?.code ?? '';
  const found = code || reason?.message || (cause as Error).message;
  if (connecting.test(code) || certificate.test(code)) {
    const advice = certificate.test(code)
      ? 'name the certificate of a proxy in NODE_EXTRA_CA_CERTS'
      : 'check the network, or name a mirror in HF_ENDPOINT';
    const message = `${where}: cannot be reached (${found}); ${advice}; a folder with the model's files is a source too`;
    return new HubError('unreachable', 'ERR_NETWORK', message, { ...details, found });
  }
  const message = `${where}: the connection was cut (${found}); try again`;
  return new HubError('cut', 'ERR_NETWORK', message, { ...details, found });
}

/** Reads an answer's body in pieces, and ends it. @throws HubError where it is cut; the signal's reason. */
export async function* bodyOf(
  { response, url, patience }: Answer,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const piece = await nextPiece(reader, patience.signal);
      if (piece === undefined) return;
      patience.renew();
      yield piece;
    }
  } catch (cause) {
    throw requestError(cause, url, patience, signal);
  } finally {
    patience.end();
  }
}

/** An abort that comes as an answer ends can leave a read of Node's `fetch` pending for ever: it is not waited for. */
function nextPiece(
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
  stop: AbortSignal,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    stop.throwIfAborted();
    if (!reader) return resolve(undefined);
    const onStop = (): void => reject(stop.reason);
    stop.addEventListener('abort', onStop, { once: true });
    reader
      .read()
      .then(({ value }) => resolve(value), reject)
      .finally(() => stop.removeEventListener('abort', onStop));
  });
}

/**
 * Tries again, after a growing wait or the one that the hub asks for, what failed with one of `faults`.
 * @param tries `body` gets a function that begins the count anew: what makes progress may go on.
 */
export async function withRetries<T>(
  { settings, signal }: Repository,
  faults: readonly HubError['fault'][],
  body: (progressed: () => void) => Promise<T>,
): Promise<T> {
  let failures = 0;
  for (;;) {
    try {
      return await body(() => {
        failures = 0;
      });
    } catch (error) {
      if (!(error instanceof HubError) || !faults.includes(error.fault)) throw error;
      failures++;
      const grown = Math.min(settings.firstWait * 2 ** (failures - 1), 8000);
      const pause = error.retryAfter ?? grown * (0.5 + Math.random() / 2);
      if (failures >= settings.attempts || pause > longestWait) throw error;
      await wait(pause, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted());
    }
  }
}

/** A hub that asks to wait longer is reported, ms. */
const longestWait = 60_000;
