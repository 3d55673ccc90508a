/**
 * Builds the native addon with node-gyp: the code behind the install script, `npm run build:addon` and
 * `heddle build`. Plain JavaScript, because it runs before anything is compiled.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingTools } from './build-tools.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const buildFolder = join(root, 'build');
const releaseFolder = join(buildFolder, 'Release');
const addonPath = join(releaseFolder, 'heddle.node');
const stampPath = join(releaseFolder, 'heddle.sha256');
const logPath = join(buildFolder, 'heddle-build.log');

/** A build that failed: `message` in one line, the compiler's last lines, and the tools that are missing. */
export class BuildError extends Error {
  /** @param {string} message @param {{ tail?: string[], missing?: string[] }} [details] */
  constructor(message, { tail = [], missing = [] } = {}) {
    super(message);
    this.name = 'BuildError';
    this.tail = tail;
    this.missing = missing;
  }
}

/**
 * Builds the addon, unless the one that is there came from the same sources and loads.
 *
 * @param {object} [options]
 * @param {boolean} [options.force] build even so
 * @param {boolean} [options.keepObjects] leave the object files, for quicker builds while developing
 * @param {boolean} [options.download] let node-gyp fetch Node's headers where this machine has none
 * @param {(files: number) => void} [options.onProgress] called with the number of files compiled so far
 * @returns {Promise<{ status: 'built' | 'current', seconds: number, path: string }>}
 * @throws {BuildError}
 */
export async function buildAddon({ force, keepObjects, download, onProgress } = {}) {
  const begin = performance.now();
  const done = (status) => {
    return { status, seconds: (performance.now() - begin) / 1000, path: addonPath };
  };
  const stamp = sourceStamp();
  if (!force && readStamp() === stamp && whyNotLoading() === undefined) return done('current');

  const headers = headerOptions();
  if (headers === undefined && !download) {
    throw new BuildError("Node's headers are not on this machine, and an install fetches nothing");
  }
  fs.mkdirSync(buildFolder, { recursive: true });
  fs.rmSync(stampPath, { force: true });
  const code = await runNodeGyp(headers ?? [], onProgress);
  if (code !== 0) {
    throw new BuildError(`node-gyp ended with code ${code}`, {
      tail: compilerLines().slice(-20),
      missing: missingTools(),
    });
  }
  const reason = whyNotLoading();
  if (reason !== undefined) throw new BuildError(`the addon is built but does not load: ${reason}`);
  if (!keepObjects) removeIntermediates();
  fs.writeFileSync(stampPath, `${stamp}\n`);
  return done('built');
}

/** A hash of all that the addon is built from and of the platform it is built for. */
function sourceStamp() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  for (const file of ['binding.gyp', 'sources.json', ...nativeSources()].sort()) {
    hash
      .update(`${file}\0`)
      .update(fs.readFileSync(join(root, file)))
      .update('\0');
  }
  return hash.digest('hex');
}

function nativeSources() {
  return fs
    .readdirSync(join(root, 'native'), { recursive: true })
    .map((file) => `native/${file.replaceAll('\\', '/')}`)
    .filter((file) => /\.(cc|h|inc)$/.test(file) && !/\/(test|fuzz)\//.test(file));
}

function readStamp() {
  return fs.existsSync(stampPath) ? fs.readFileSync(stampPath, 'utf8').trim() : undefined;
}

/** Loads the addon in a process of its own: one that crashes while loading must not take us with it. */
function whyNotLoading() {
  if (!fs.existsSync(addonPath)) return `${relative(root, addonPath)} is missing`;
  const { status, signal, stderr } = spawnSync(
    process.execPath,
    ['-e', 'require(process.argv[1])', addonPath],
    { encoding: 'utf8' },
  );
  if (status === 0) return undefined;
  return signal ?? stderr.match(/^\w*Error: .*$/m)?.[0] ?? `exit code ${status}`;
}

/**
 * How node-gyp finds Node's headers without a network: `--nodedir` where they lie beside the running
 * Node, nothing where npm's configuration or node-gyp's cache has them; undefined where nobody has.
 */
function headerOptions() {
  const hasHeaders = (folder) => fs.existsSync(join(folder, 'include', 'node', 'node_api.h'));
  const besideNode = dirname(dirname(fs.realpathSync(process.execPath)));
  if (hasHeaders(besideNode)) return [`--nodedir=${besideNode}`];
  const configured = process.env.npm_config_nodedir;
  if (configured && hasHeaders(configured)) return [];
  // The version folder of a cache that node-gyp has filled before (lib/install.js of node-gyp).
  const envPaths = createRequire(nodeGypPath())('env-paths');
  const cache = process.env.npm_config_devdir ?? envPaths('node-gyp', { suffix: '' }).cache;
  return hasHeaders(join(cache, process.versions.node)) ? [] : undefined;
}

function nodeGypPath() {
  return createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
}

/** Configures and builds; all output goes to the log. Resolves to the exit code. */
function runNodeGyp(options, onProgress) {
  // `configure build` and not `rebuild`, which would begin by deleting all of build/.
  const jobs = `--jobs=${Math.min(availableParallelism(), 8)}`;
  const args = [nodeGypPath(), 'configure', 'build', '--release', jobs, ...options];
  const log = fs.createWriteStream(logPath);
  const env = { ...process.env };
  if (options.length > 0) delete env.npm_config_nodedir; // which node-gyp would let win over the option
  const child = spawn(process.execPath, args, {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let files = 0;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text) => {
      log.write(text);
      // How make and MSBuild name a file that they compile.
      const compiled = text.match(/^ {2}CXX\(target\)|^ {2}\w+\.cc\r?$/gm)?.length ?? 0;
      files += compiled;
      if (compiled > 0) onProgress?.(files);
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => log.end(() => resolve(code ?? signal)));
  });
}

/** The log without what node-gyp and make say about themselves; all of it where nothing else is there. */
function compilerLines() {
  const lines = fs.readFileSync(logPath, 'utf8').trimEnd().split('\n');
  const others = lines.filter(
    (line) => !/^gyp |^make: (Entering|Leaving)|^ +\w+\(target\)/.test(line),
  );
  return others.length > 0 ? others : lines;
}

/** Leaves the addon and the log: object files and static libraries are ten times as large. */
function removeIntermediates() {
  const fromGyp =
    /^Makefile$|\.(mk|Makefile|gypi|sln|vcxproj|filters|user)$|^gyp-mac-tool$|^node_gyp_bins$/;
  const fromCompiler =
    /^(obj|obj\.target|\.deps|\.forward)$|\.(a|lib|exp|pdb|iobj|ipdb|tlog|recipe)$/;
  for (const [folder, pattern] of [
    [buildFolder, fromGyp],
    [releaseFolder, fromCompiler],
  ]) {
    for (const name of fs.readdirSync(folder).filter((entry) => pattern.test(entry))) {
      fs.rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
}
