import { type ErrorCode, HeddleError } from '../errors.js';

/** What went wrong between here and the hub, for the code that decides whether to try again, or to do without. */
export type HubFault =
  | 'repository' // there is no such model, for this token
  | 'revision' // the model has no such branch, tag or commit
  | 'file' // the revision has no such file
  | 'access' // the token, or that there is none
  | 'busy' // too many requests, or the hub's own trouble
  | 'unreachable' // no connection
  | 'cut' // a connection that ended or stood still
  | 'nonsense'; // an answer that is none

/** A HeddleError of the hub. Programs go by its `code`. */
export class HubError extends HeddleError {
  /** How long the hub asks to wait, ms. */
  readonly retryAfter: number | undefined;

  constructor(
    readonly fault: HubFault,
    code: ErrorCode,
    message: string,
    details: {
      expected?: string;
      found?: string;
      where?: string;
      cause?: unknown;
      retryAfter?: number;
    } = {},
  ) {
    super(code, message, details);
    this.retryAfter = details.retryAfter;
  }
}

/** An answer that is none: `where: expected …, found …`. */
export function nonsense(
  where: string,
  expected: string,
  found: string,
  cause?: unknown,
): HubError {
  const message = `${where}: expected ${expected}, found ${found}; what stands between here and the hub (HF_ENDPOINT, a proxy, a login page) may have changed the answer`;
  return new HubError('nonsense', 'ERR_NETWORK', message, { where, expected, found, cause });
}

/** An address as messages show it: without its query, which may hold a signature. */
export const shown = (url: URL): string => `${url.origin}${url.pathname}`;

/** What a request is about, for its errors. */
export interface Subject {
  readonly endpoint: string;
  readonly id: string;
  readonly revision: string;
  /** Of the file that is asked for. */
  readonly path?: string;
  readonly hasToken: boolean;
}

/**
 * What an answer other than 2xx or 3xx means. The hub says it in X-Error-Code; for a model that is not there it answers 401
 * to who has no token, as for one that is private.
 */
export function statusError(response: Response, url: URL, subject: Subject): HubError {
  const { endpoint, id, revision, path, hasToken } = subject;
  const { status, headers } = response;
  const where = shown(url);
  const code = headers.get('x-error-code');
  const found = { where, found: `status ${status}` };
  const page = `${endpoint}/${id}`;

  if (code === 'GatedRepo') {
    const token = hasToken
      ? 'the token that was sent is of an account without access'
      : `set HF_TOKEN to a token of that account (${endpoint}/settings/tokens)`;
    const message = `${id}: access has to be asked for: accept the conditions at ${page} and ${hasToken ? 'wait for the grant; ' : ''}${token} (${where} answered ${status})`;
    return new HubError('access', 'ERR_AUTH', message, found);
  }
  if (code === 'RevisionNotFound') {
    const message = `${id}: has no revision '${revision}'; its branches and tags are at ${page}/tree/main (${where} answered ${status})`;
    return new HubError('revision', 'ERR_NOT_FOUND', message, found);
  }
  if (code === 'EntryNotFound' || (status === 404 && path !== undefined && code === null)) {
    const message = `${id}: has no file '${path ?? ''}' in the revision '${revision}' (${where} answered ${status})`;
    return new HubError('file', 'ERR_NOT_FOUND', message, found);
  }
  if (code === 'RepoNotFound' || status === 404) {
    const message = `${id}: no such model at ${endpoint}, or a private one that ${hasToken ? 'the token gives no access to' : 'needs a token in HF_TOKEN'}; check the name (${where} answered ${status})`;
    return new HubError('repository', 'ERR_NOT_FOUND', message, found);
  }
  if (status === 401) {
    const message = hasToken
      ? `${id}: the token was refused; set HF_TOKEN to a valid one (${endpoint}/settings/tokens) or take it away (${where} answered 401)`
      : `${id}: no such model, or one that is private or gated; check the name, or set HF_TOKEN to a token of an account with access (${endpoint}/settings/tokens) (${where} answered 401)`;
    return new HubError('access', 'ERR_AUTH', message, found);
  }
  if (status === 403) {
    const message = `${id}: access is forbidden; see ${page}, and give ${hasToken ? 'the token the right to read this model' : 'a token of an account with access in HF_TOKEN'} (${where} answered 403)`;
    return new HubError('access', 'ERR_AUTH', message, found);
  }
  if (status === 429 || status === 408 || status >= 500) {
    const retryAfter = waitAskedFor(headers.get('retry-after'));
    const advice =
      retryAfter === undefined
        ? 'try again later'
        : `try again in ${Math.ceil(retryAfter / 1000)} s`;
    const login =
      status === 429 && !hasToken ? ', or with a token in HF_TOKEN, which has higher limits' : '';
    const message = `${id}: the hub is busy or has a fault; ${advice}${login} (${where} answered ${status})`;
    return new HubError('busy', 'ERR_NETWORK', message, { ...found, retryAfter });
  }
  return nonsense(where, 'an answer of the hub', `status ${status}`);
}

/** Retry-After, a number of seconds or a date, in ms. */
function waitAskedFor(value: string | null): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
