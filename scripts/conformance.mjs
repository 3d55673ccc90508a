/**
 * npm run conformance -- models DIR [--families a,b] [--json]
 * npm run conformance -- tokenizers DIR [--tokenizers a,b] [--json]
 * npm run conformance -- training DIR [--runs a,b] [--json]
 *
 * Runs golden cases and prints passed and total by family or tokenizer, for training also the greatest errors. Exit code 1 where a case fails, 2 for a wrong call.
 */
import { parseArgs } from 'node:util';
import { load, Tokenizer } from '../dist/index.mjs';
import { foldersIn, runModels } from './conformance/models.mjs';
import { runTokenizers } from './conformance/tokenizers.mjs';
import { runTraining } from './conformance/training.mjs';

/** What can be run, each with the option that chooses among its folders and the word for one of them. */
const kinds = {
  models: { option: 'families', one: 'family', run: (...of) => runModels(load, ...of) },
  tokenizers: {
    option: 'tokenizers',
    one: 'tokenizer',
    run: (...of) => runTokenizers((path) => Tokenizer.load(path), ...of),
  },
  training: { option: 'runs', one: 'model', run: runTraining },
};

const usage = `usage: npm run conformance -- ${Object.entries(kinds)
  .map(([name, { option }]) => `${name} DIR [--${option} a,b] [--json]`)
  .join(' | ')}`;
const { values, kind, folder, wanted } = await call();
const { one, option } = kind;

const results = [];
for await (const result of kind.run(folder, wanted)) results.push(result);

const groups = [...new Set(results.map((result) => result[one]))].map((name) => {
  const of = results.filter((result) => result[one] === name);
  const passed = of.filter(({ error }) => error === undefined).length;
  const greatest = Object.fromEntries(of.map((result) => [result.name, result.greatest]));
  const measured = of.some((result) => result.greatest !== undefined) ? { greatest } : {};
  return { [one]: name, passed, total: of.length, ...measured };
});
const failures = results.filter(({ error }) => error !== undefined);
if (values.json) {
  process.stdout.write(`${JSON.stringify({ [option]: groups, failures })}\n`);
} else {
  const width = Math.max(one.length, ...groups.map((group) => group[one].length));
  console.log(`${one.padEnd(width)}  passed  total`);
  for (const { [one]: name, passed, total, greatest = {} } of groups) {
    const errors = Object.entries(greatest).map(
      ([what, error]) => `${what} ${error.toExponential(1)}`,
    );
    const counts = `${String(passed).padStart(6)}  ${String(total).padStart(5)}`;
    const verdict = errors.length === 0 ? '' : passed === total ? '  passed' : '  failed';
    console.log([`${name.padEnd(width)}  ${counts}${verdict}`, ...errors].join('  '));
  }
  for (const [reason, more] of grouped(failures)) {
    console.log(more === 0 ? reason : `${reason} (and ${more} more cases)`);
  }
}
process.exitCode = failures.length > 0 || results.length === 0 ? 1 : 0;

/** Failures as lines, those of one cause as one line with the number of the others. */
function grouped(of) {
  const lines = new Map();
  for (const { [one]: name, variant, name: testCase, error } of of) {
    const cause = `${name}/${variant} ${error}`;
    const folder = variant === undefined ? name : `${name}/${variant}`;
    const known = lines.get(cause);
    if (known === undefined) lines.set(cause, [`${folder} ${testCase}: ${error}`, 0]);
    else known[1]++;
  }
  return lines.values();
}

/** The command line, checked; ends the process where it is wrong. */
async function call() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        families: { type: 'string' },
        tokenizers: { type: 'string' },
        runs: { type: 'string' },
        json: { type: 'boolean' },
      },
    });
    const [what, folder] = positionals;
    if (!Object.hasOwn(kinds, what ?? '') || positionals.length !== 2) throw new Error(usage);
    const kind = kinds[what];
    const other = Object.values(kinds).find((each) => each !== kind && values[each.option]);
    if (other !== undefined)
      throw new Error(`--${other.option} does not go with ${what}; ${usage}`);
    const known = await foldersIn(folder).catch(() => {
      throw new Error(`${folder}: cannot be read as a folder`);
    });
    const wanted = values[kind.option]?.split(',');
    const unknown = wanted?.find((name) => !known.includes(name));
    if (unknown !== undefined) {
      throw new Error(`--${kind.option}: expected some of ${known.join(', ')}, found '${unknown}'`);
    }
    return { values, kind, folder, wanted };
  } catch (error) {
    process.stderr.write(`${error.message.split('\n')[0]}\n`);
    process.exit(2);
  }
}
