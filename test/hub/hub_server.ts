/** A hub on this machine: the routes that a download takes, and whatever can go wrong on them. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll } from 'vitest';

export type Files = Record<string, string | Uint8Array>;

export interface SeenRequest {
  method: string;
  /** With the query. */
  path: string;
  token: string | undefined;
  range: string | undefined;
  /** Whether it came to the other host, where large files are. */
  toStorage: boolean;
}

/** Answers instead of the hub, and returns true; or leaves it to the hub. */
export type Fault = (seen: SeenRequest, response: ServerResponse) => boolean | undefined;

const sha = (algorithm: string, ...parts: (string | Uint8Array)[]): string =>
  parts.reduce((hash, part) => hash.update(part), createHash(algorithm)).digest('hex');

export const sha256 = (bytes: Uint8Array): string => sha('sha256', bytes);
export const gitHash = (bytes: Uint8Array): string => sha('sha1', `blob ${bytes.length}\0`, bytes);

const isLarge = (path: string): boolean => /\.(safetensors|bin|onnx|h5|msgpack)$/.test(path);

export class HubServer {
  /** Id to commit to files. */
  private readonly models = new Map<string, Map<string, Map<string, Buffer>>>();
  /** `id@branch` to commit. */
  private readonly refs = new Map<string, string>();
  private readonly servers: Server[] = [];
  readonly requests: SeenRequest[] = [];
  fault: Fault = () => undefined;
  endpoint = '';
  storage = '';

  static async start(): Promise<HubServer> {
    const hub = new HubServer();
    hub.endpoint = await hub.listen(false);
    hub.storage = await hub.listen(true);
    afterAll(() => hub.stop());
    return hub;
  }

  private async listen(toStorage: boolean): Promise<string> {
    const server = createServer((request, response) => this.answer(request, response, toStorage));
    this.servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  stop(): void {
    for (const server of this.servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  /** Puts a new commit on a branch. @returns the commit. */
  push(id: string, files: Files, branch = 'main'): string {
    const content = new Map(
      Object.entries(files).map(([path, bytes]) => [path, Buffer.from(bytes)] as const),
    );
    const commits = this.models.get(id) ?? new Map();
    const all = [...content].flatMap(([path, bytes]) => [path, '\0', bytes]);
    const commit = sha('sha1', id, `${commits.size}`, ...all);
    this.models.set(id, commits.set(commit, content));
    this.refs.set(`${id}@${branch}`, commit);
    return commit;
  }

  /** Paths of the files that were asked for, each once. */
  fetched(): string[] {
    const paths = this.requests.flatMap(
      ({ path }) => /\/resolve\/\w+\/(.*)$/.exec(path)?.[1] ?? [],
    );
    return [...new Set(paths)].sort();
  }

  private answer(request: IncomingMessage, response: ServerResponse, toStorage: boolean): unknown {
    const seen: SeenRequest = {
      method: request.method ?? '',
      path: request.url ?? '',
      token: request.headers.authorization,
      range: request.headers.range,
      toStorage,
    };
    this.requests.push(seen);
    if (this.fault(seen, response)) return;
    const { pathname } = new URL(seen.path, this.endpoint);
    if (toStorage) return this.sendBytes(seen, response, this.stored(pathname.slice(1)));
    const [, id, route, rest] =
      /^\/(?:api\/models\/)?(.+?)\/(revision|tree|resolve)\/(.+)$/.exec(pathname) ?? [];
    const commits = this.models.get(id ?? '');
    if (!commits) return sendError(response, 401, 'RepoNotFound');
    const [first, ...path] = route === 'resolve' ? rest.split('/') : [rest];
    const revision = decodeURIComponent(first);
    const commit = commits.has(revision) ? revision : this.refs.get(`${id}@${revision}`);
    if (commit === undefined) return sendError(response, 404, 'RevisionNotFound');
    const files = commits.get(commit)!;
    if (route === 'revision') return sendJson(response, { id, sha: commit, private: false });
    if (route === 'tree') return this.sendTree(seen, response, files);
    const name = decodeURIComponent(path.join('/'));
    const bytes = files.get(name);
    if (!bytes) return sendError(response, 404, 'EntryNotFound');
    response.setHeader('x-repo-commit', commit);
    if (!isLarge(name)) {
      response.setHeader('etag', `"${gitHash(bytes)}"`);
      return this.sendBytes(seen, response, bytes);
    }
    const hash = sha256(bytes);
    response.writeHead(302, {
      'x-linked-etag': `"${hash}"`,
      'x-linked-size': bytes.length,
      location: `${this.storage}/${hash}?signature=secret`,
    });
    return response.end();
  }

  private stored(hash: string): Buffer | undefined {
    for (const commits of this.models.values()) {
      for (const files of commits.values()) {
        for (const bytes of files.values()) if (sha256(bytes) === hash) return bytes;
      }
    }
    return undefined;
  }

  /** Two entries a page, to have several. */
  private sendTree(seen: SeenRequest, response: ServerResponse, files: Map<string, Buffer>): void {
    const url = new URL(seen.path, this.endpoint);
    const from = Number(url.searchParams.get('cursor') ?? 0);
    const folders = new Set(
      [...files.keys()].filter((path) => path.includes('/')).map((path) => path.split('/')[0]),
    );
    const entries = [
      ...[...folders].map((path) => ({ type: 'directory', path, size: 0, oid: '0'.repeat(40) })),
      ...[...files].map(([path, bytes]) => treeEntry(path, bytes)),
    ];
    if (from + 2 < entries.length) {
      url.searchParams.set('cursor', `${from + 2}`);
      response.setHeader('link', `<${url.href}>; rel="next"`);
    }
    sendJson(response, entries.slice(from, from + 2));
  }

  private sendBytes(
    seen: SeenRequest,
    response: ServerResponse,
    bytes: Buffer | undefined,
  ): unknown {
    if (!bytes) return sendError(response, 404, 'EntryNotFound');
    const start = Number(/^bytes=(\d+)-$/.exec(seen.range ?? '')?.[1] ?? 0);
    const isPart = seen.range !== undefined;
    response.writeHead(isPart ? 206 : 200, {
      'content-length': bytes.length - start,
      'content-type': 'application/octet-stream',
      ...(isPart ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    return response.end(seen.method === 'HEAD' ? undefined : bytes.subarray(start));
  }
}

export function treeEntry(path: string, bytes: Buffer): object {
  const entry = { type: 'file', path, size: bytes.length, oid: gitHash(bytes) };
  const pointerSize = 130;
  return isLarge(path)
    ? { ...entry, lfs: { oid: sha256(bytes), size: bytes.length, pointerSize } }
    : entry;
}

export function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

export function sendError(
  response: ServerResponse,
  status: number,
  code?: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { ...headers, ...(code ? { 'x-error-code': code } : {}) });
  response.end(JSON.stringify({ error: 'an error' }));
}

/** Sends the beginning of the bytes and cuts the connection. */
export function sendCut(
  response: ServerResponse,
  bytes: Uint8Array,
  length: number,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-length': bytes.length, ...headers });
  response.write(bytes.subarray(0, length), () => setImmediate(() => response.destroy()));
}

/** Answers requests whose path fits, the first `times`. */
export const answering =
  (fits: (path: string) => boolean, answer: (...args: Parameters<Fault>) => unknown, times = 1e9) =>
  (seen: Parameters<Fault>[0], response: Parameters<Fault>[1]): boolean => {
    if (!fits(seen.path) || times-- <= 0) return false;
    answer(seen, response);
    return true;
  };
