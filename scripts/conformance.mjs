/**
 * npm run conformance -- models DIR [--families a,b] [--json]
 *
 * Runs golden cases and prints passed and total by family. Exit code 1 where a case fails, 2 for a wrong call.
 */
import { parseArgs } from 'node:util';
import { load } from '../dist/index.mjs';
import { foldersIn, runModels } from './conformance/models.mjs';

const usage = 'usage: npm run conformance -- models DIR [--families a,b] [--json]';
const { values, folder, families: wanted } = await call();

const results = [];
for await (const result of runModels(load, folder, wanted)) results.push(result);

const families = [...new Set(results.map(({ family }) => family))].map((family) => {
  const of = results.filter((result) => result.family === family);
  return { family, passed: of.filter(({ error }) => error === undefined).length, total: of.length };
});
const failures = results.filter(({ error }) => error !== undefined);
if (values.json) {
  process.stdout.write(`${JSON.stringify({ families, failures })}\n`);
} else {
  const width = Math.max(6, ...families.map(({ family }) => family.length));
  console.log(`${'family'.padEnd(width)}  passed  total`);
  for (const { family, passed, total } of families) {
    console.log(
      `${family.padEnd(width)}  ${String(passed).padStart(6)}  ${String(total).padStart(5)}`,
    );
  }
  for (const { family, variant, name, error } of failures) {
    console.log(`${family}/${variant} ${name}: ${error}`);
  }
}
process.exitCode = failures.length > 0 || results.length === 0 ? 1 : 0;

/** The command line, checked; ends the process where it is wrong. */
async function call() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { families: { type: 'string' }, json: { type: 'boolean' } },
    });
    const [what, folder] = positionals;
    if (what !== 'models' || positionals.length !== 2) throw new Error(usage);
    const known = await foldersIn(folder).catch(() => {
      throw new Error(`${folder}: cannot be read as a folder`);
    });
    const families = values.families?.split(',');
    const unknown = families?.find((family) => !known.includes(family));
    if (unknown !== undefined) {
      throw new Error(`--families: expected some of ${known.join(', ')}, found '${unknown}'`);
    }
    return { values, folder, families };
  } catch (error) {
    process.stderr.write(`${error.message.split('\n')[0]}\n`);
    process.exit(2);
  }
}
