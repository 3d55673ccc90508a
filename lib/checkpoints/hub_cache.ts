/**
 * Where models lie on this machine: the cache that Python's huggingface_hub shares
 * (https://huggingface.co/docs/huggingface_hub/guides/manage-cache), and Heddle's own. The only reader of HF_* variables
 * (https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables); nothing here touches a network.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { HeddleError } from '../errors.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** $XDG_CACHE_HOME, or ~/.cache. */
function cacheHome(environment: Environment): string {
  return environment.XDG_CACHE_HOME || join(homedir(), '.cache');
}

/** Heddle's folder for models: `heddle/models` in the user's cache. */
export function ownModelsFolder(environment: Environment = process.env): string {
  return join(cacheHome(environment), 'heddle', 'models');
}

/**
 * The folder of a model that scripts/fetch-minilm.mjs has put there, by its name on the hub with its organisation or without;
 * undefined when it is not there. Somebody else's model of the same name is another model.
 */
export function findInOwnModels(
  id: string,
  environment: Environment = process.env,
): string | undefined {
  const name = /^(?:sentence-transformers\/)?([A-Za-z0-9][\w.-]*)$/.exec(id)?.[1];
  if (name === undefined) return undefined;
  const folder = join(ownModelsFolder(environment), name);
  return existsSync(join(folder, 'model.safetensors')) ? folder : undefined;
}

/** $HF_HUB_CACHE (or its older name), else `hub` in $HF_HOME, else `huggingface/hub` in the user's cache. */
export function hubCacheFolder(environment: Environment = process.env): string {
  const explicit = environment.HF_HUB_CACHE || environment.HUGGINGFACE_HUB_CACHE;
  return explicit ? fromHome(explicit) : join(hubHome(environment), 'hub');
}

function hubHome(environment: Environment): string {
  const { HF_HOME } = environment;
  return HF_HOME ? fromHome(HF_HOME) : join(cacheHome(environment), 'huggingface');
}

/** A shell leaves the `~` of a quoted path as it is. */
const fromHome = (path: string): string => path.replace(/^~(?=$|[\\/])/, () => homedir());

/** How the hub is reached, and where what comes from it is kept. */
export interface HubSettings {
  readonly cacheFolder: string;
  /** http(s), without a path's last slash. */
  readonly endpoint: string;
  /** Sent to the endpoint's own origin only. */
  readonly token: string | undefined;
  /** Whether no request may be made. */
  readonly offline: boolean;
  /** Whether snapshots hold symbolic links to blobs; else hard links, or copies. */
  readonly symlinks: boolean;
  /** How long an answer about a model may take to begin, ms. */
  readonly answerTimeout: number;
  /** How long a file may stand still, ms. */
  readonly stallTimeout: number;
  /** How often a request is tried, and how long it waits before the second time; then twice as long each time, up to 8 s. */
  readonly attempts: number;
  readonly firstWait: number;
}

/** @param endpoint in place of HF_ENDPOINT. @throws ERR_ARGUMENT for an HF_ENDPOINT or HF_TOKEN that cannot be one. */
export function hubSettings(
  environment: Environment = process.env,
  endpoint: string | undefined = environment.HF_ENDPOINT,
): HubSettings {
  return {
    cacheFolder: hubCacheFolder(environment),
    endpoint: endpointOf(endpoint),
    token: tokenOf(environment),
    offline: isTrue(environment.HF_HUB_OFFLINE || environment.TRANSFORMERS_OFFLINE),
    symlinks: !isTrue(environment.HF_HUB_DISABLE_SYMLINKS),
    answerTimeout: secondsOf(environment.HF_HUB_ETAG_TIMEOUT, 10) * 1000,
    stallTimeout: secondsOf(environment.HF_HUB_DOWNLOAD_TIMEOUT, 10) * 1000,
    attempts: 5,
    firstWait: 1000,
  };
}

const isTrue = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? '');

function secondsOf(value: string | undefined, otherwise: number): number {
  const seconds = Number(value);
  return value && seconds > 0 ? Math.min(seconds, 86_400) : otherwise;
}

function endpointOf(given: string | undefined): string {
  const endpoint = given?.trim() || 'https://huggingface.co';
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const isPlain = url && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '';
  if (!isPlain || url.password !== '' || url.hash !== '') {
    throw new HeddleError(
      'ERR_ARGUMENT',
      'HF_ENDPOINT: expected the address of a hub, such as https://huggingface.co, without a name, password or query',
      { where: 'HF_ENDPOINT', expected: 'an http or https address' },
    );
  }
  return url.href.replace(/\/+$/, '');
}

/** $HF_TOKEN (or its older name), else the file that `hf auth login` writes. */
function tokenOf(environment: Environment): string | undefined {
  if (isTrue(environment.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  const given = environment.HF_TOKEN || environment.HUGGING_FACE_HUB_TOKEN;
  const path = environment.HF_TOKEN_PATH
    ? fromHome(environment.HF_TOKEN_PATH)
    : join(hubHome(environment), 'token');
  const token = (given || textIfThere(path) || '').trim();
  // What else is in a header would end it, or be refused with the token in the message.
  if (!/^[\x21-\x7e]*$/.test(token)) {
    const where = given ? 'HF_TOKEN' : path;
    const message = `${where}: expected a token in one line of letters, digits and marks, found other characters`;
    throw new HeddleError('ERR_ARGUMENT', message, { where });
  }
  return token || undefined;
}

function textIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // nobody is logged in, or somebody else
  }
}

/** Whether a source can be the id of a model on the hub: `name` or `organisation/name`. */
export function isHubId(id: string): boolean {
  // Each part begins with a letter or digit, so none is '..'; '--' separates parts in the cache.
  return /^[A-Za-z0-9][\w.-]*(?:\/[A-Za-z0-9][\w.-]*)?$/.test(id) && !id.includes('--');
}

/** The ids that a source may mean: a bare name may also be one of the organisation sentence-transformers. */
export function possibleIds(source: string): string[] {
  if (!isHubId(source)) return [];
  return source.includes('/') ? [source] : [source, `sentence-transformers/${source}`];
}

/** Whether a revision can have a file in `refs`: a commit, branch, tag or `refs/pr/1`. */
export function isRevision(revision: string): boolean {
  return revision.split('/').every((part) => /^\w[\w.+@=-]*$/.test(part));
}

/** The folder of a model in the cache. */
export function repositoryFolder(cacheFolder: string, id: string): string {
  return join(cacheFolder, `models--${id.replace('/', '--')}`);
}

/**
 * The snapshot folder of a hub id in the local cache; undefined when it is not there, or is no hub id.
 * @param id `org/name`; a bare name may also be one of the organisation sentence-transformers.
 * @param revision a commit, branch or tag.
 */
export function findInHubCache(
  id: string,
  revision = 'main',
  environment: Environment = process.env,
): string | undefined {
  for (const name of possibleIds(id)) {
    const folder = repositoryFolder(hubCacheFolder(environment), name);
    const commit = isCommit(revision) ? revision : cachedCommit(folder, revision);
    if (commit === undefined) continue;
    const snapshot = join(folder, 'snapshots', commit);
    if (statSync(snapshot, { throwIfNoEntry: false })?.isDirectory()) return snapshot;
  }
  return undefined;
}

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

/** The commit that a branch or tag (`main`, `refs/pr/1`) was when it was fetched: a file says it. */
export function cachedCommit(folder: string, revision: string): string | undefined {
  if (!isRevision(revision)) return undefined;
  const commit = textIfThere(join(folder, 'refs', ...revision.split('/')))?.trim();
  return commit !== undefined && isCommit(commit) ? commit : undefined;
}
