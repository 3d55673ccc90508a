/** Where the command finds a hub id: the environment of the process decides. */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sentenceTransformers, temporaryFolder, tinyFolder } from '../tasks/tiny_model.js';
import { type Finished, heddle } from './heddle.js';

const id = 'sentence-transformers/all-MiniLM-L6-v2';
const tiny = await tinyFolder({ files: sentenceTransformers({}) });

/** A user's cache with a tiny model where scripts/fetch-minilm.mjs puts the real one. */
const cache = await temporaryFolder();
const own = join(cache, 'heddle', 'models', 'all-MiniLM-L6-v2');
await cp(tiny, own, { recursive: true });

const empty = { HF_HOME: '', HF_HUB_CACHE: '', HUGGINGFACE_HUB_CACHE: '' };
const widthFrom = async (model: string, env: Record<string, string>): Promise<number> => {
  const finished = await heddle(['embed', '--json', '--model', model, 'a cat'], { env });
  expect(finished).toMatchObject({ code: 0 });
  return JSON.parse(finished.stdout).embedding.length;
};
const inspecting = (model: string, env: Record<string, string>): Promise<Finished> =>
  heddle(['inspect', '--json', model], { env });

describe("Heddle's own cache", () => {
  const env = { ...empty, XDG_CACHE_HOME: cache };

  it.each([id, 'all-MiniLM-L6-v2'])('is looked into for %s', async (name) => {
    expect(await widthFrom(name, env)).toBe(32);
    expect(await inspecting(name, env)).toMatchObject({ code: 0 });
  });

  it.each(['somebody/all-MiniLM-L6-v2', 'all-MiniLM-L12-v2', `../${id}`, `${id}/..`, '..'])(
    'has no %s',
    async (name) => {
      const { code, stdout } = await inspecting(name, env);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    },
  );

  it('is not there in an empty cache', async () => {
    const nothing = { ...empty, XDG_CACHE_HOME: await temporaryFolder() };
    const { code, stderr } = await inspecting(id, nothing);
    expect(code).toBe(1);
    expect(stderr).toMatch(/Hugging Face cache/);
  });

  it('comes after the Hugging Face cache, unless there are no weights in that', async () => {
    const hub = await temporaryFolder();
    const commit = '0123456789abcdef0123456789abcdef01234567';
    const model = join(hub, 'models--sentence-transformers--all-MiniLM-L6-v2');
    const snapshot = join(model, 'snapshots', commit);
    await mkdir(join(model, 'refs'), { recursive: true });
    await mkdir(snapshot, { recursive: true });
    await writeFile(join(model, 'refs', 'main'), commit);
    await cp(join(tiny, 'config.json'), join(snapshot, 'config.json'));
    const both = { ...env, HF_HUB_CACHE: hub };
    expect(await widthFrom(id, both)).toBe(32);
    await cp(tiny, snapshot, { recursive: true });
    const modules = JSON.stringify([{ type: 'x.Transformer', path: '' }]); // broken, to be told apart
    await writeFile(join(snapshot, 'modules.json'), modules);
    const { code, stderr } = await inspecting(id, both);
    expect(code).toBe(1);
    expect(stderr).toContain(snapshot);
  });
});
