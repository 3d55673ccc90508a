import type { CAC } from 'cac';
import { inspect } from '../tasks/inspect.js';
import { withDownloadBar } from './model_options.js';
import { formatBytes, printJson, printLine, table } from './output.js';

export function registerInspect(cli: CAC): void {
  cli
    .command('inspect <source>', 'Architecture, tensors, parameters and sizes of a model')
    .option(
      '--json',
      'One JSON document: {"architecture", "parameters", "tensors": [{"name", "dtype", "shape"}], …}',
    )
    .example('heddle inspect sentence-transformers/all-MiniLM-L6-v2')
    .action(async (source: unknown, options: Record<string, unknown>) => {
      const facts = await withDownloadBar((fetching) => inspect(String(source), fetching));
      if (options.json) {
        printJson(facts);
        return;
      }
      const { architecture, parameters, tensors, bytes, files } = facts;
      const rows = tensors.map(({ name, dtype, shape, bytes: size }) => [
        name,
        dtype,
        `[${shape.join(', ')}]`,
        formatBytes(size),
      ]);
      printLine(table([['tensor', 'dtype', 'shape', 'size'], ...rows], [3]));
      printLine();
      printLine(
        `architecture  ${architecture}${facts.supported ? '' : '  (not one that Heddle runs)'}`,
      );
      printLine(`parameters    ${parameters.total.toLocaleString('en')}`);
      printLine(
        `size          ${formatBytes(bytes)} in ${files} ${files === 1 ? 'file' : 'files'}`,
      );
      if (facts.problem !== undefined) printLine(`problem       ${facts.problem}`);
      if (facts.unused.length > 0) printLine(`unused        ${facts.unused.join(', ')}`);
      for (const [name, value] of Object.entries(facts.summary))
        printLine(`${name.padEnd(14)}${value}`);
    });
}
