import type { CAC } from 'cac';
import { HeddleError } from '../errors.js';
import { getModel, listModels, removeModel } from '../tasks/hub_models.js';
import { modelActions } from './arguments.js';
import { revisionOf, withDownloadBar } from './model_options.js';
import { formatBytes, note, printJson, printLine, table } from './output.js';

export function registerModels(cli: CAC): void {
  cli
    .command('models [action]', `Models in the Hugging Face cache: ${modelActions.join(', ')}`)
    .example('heddle models list')
    .action((): never => {
      throw new HeddleError(
        'ERR_ARGUMENT',
        `models: expected one of ${modelActions.join(', ')}; see: heddle --help`,
      );
    });
  cli
    .command('models list', 'What is in the cache: id, revision, size on disk, last used')
    .option(
      '--json',
      'One JSON document: {"folder", "models": [{"id", "commit", "refs", "bytes", "unfinished", "lastUsed", "isUsable", "folder"}], "own": [{"name", "bytes", "lastUsed", "folder"}]}',
    )
    .action((options: Record<string, unknown>) => list(options));
  cli
    .command('models get <source>', 'Download what Heddle needs of a model, and print its folder')
    .option('--revision <revision>', 'A commit, branch or tag (default: main)')
    .option('--json', 'One JSON document: {"id", "commit", "folder"}')
    .example('heddle models get sentence-transformers/all-MiniLM-L6-v2')
    .action((source: unknown, options: Record<string, unknown>) => get(String(source), options));
  cli
    .command('models remove <source>', 'Take a model from the cache; what others use stays')
    .option('--revision <revision>', 'Only this commit, branch or tag')
    .option('--json', 'One JSON document: {"id", "commits", "bytes"}')
    .action((source: unknown, options: Record<string, unknown>) => remove(String(source), options));
}

async function list(options: Record<string, unknown>): Promise<void> {
  const { folder, models, own } = await listModels();
  if (options.json) {
    printJson({ folder, models, own });
    return;
  }
  const rows = models.map(({ id, commit, refs, bytes, unfinished, lastUsed, isUsable }) => [
    id,
    refs.join(', ') || '-',
    commit.slice(0, 12),
    formatBytes(bytes),
    lastUsed.toISOString().slice(0, 10),
    [
      ...(isUsable ? [] : ['no whole safetensors']),
      ...(unfinished > 0 ? [`${formatBytes(unfinished)} of unfinished downloads`] : []),
    ].join(', '),
  ]);
  for (const { name, bytes, lastUsed } of own) {
    const day = lastUsed.toISOString().slice(0, 10);
    rows.push([name, '-', '-', formatBytes(bytes), day, "in Heddle's own cache"]);
  }
  const head = ['model', 'revision', 'commit', 'size', 'last used', ''];
  if (rows.length > 0) printLine(table([head, ...rows], [3]));
  note(`${models.length} ${models.length === 1 ? 'model' : 'models'} in ${folder}`);
}

async function get(source: string, options: Record<string, unknown>): Promise<void> {
  const snapshot = await withDownloadBar((fetching) =>
    getModel(source, { ...fetching, revision: revisionOf(options) }),
  );
  if (options.json) printJson(snapshot);
  else printLine(snapshot.folder);
}

async function remove(source: string, options: Record<string, unknown>): Promise<void> {
  const removed = await removeModel(source, revisionOf(options));
  if (options.json) printJson(removed);
  else printLine(`${removed.id}: ${formatBytes(removed.bytes)} freed (${removed.bytes} bytes)`);
}
