#!/usr/bin/env node
/** The command `heddle`. Exit code 0: done; 2: a wrong call; 1: everything else, with one line on stderr. */
import module from 'node:module';
import { type CAC, cac } from 'cac';
import packageJson from '../../package.json' with { type: 'json' };
import { HeddleError } from '../errors.js';
import { joinSubcommand, unambiguous } from './arguments.js';

// Node 22 and later can keep what they have compiled: the next start of a command is quicker.
(module as { enableCompileCache?: () => unknown }).enableCompileCache?.();

type Register = (cli: CAC) => void;

/** What each command brings along is loaded with it alone; they stand in the order of the help. */
const commands: Readonly<Record<string, () => Promise<Register | readonly Register[]>>> = {
  embed: async () => (await import('./embed.js')).registerEmbed,
  search: async () => (await import('./search.js')).registerSearch,
  fill: async () => (await import('./fill.js')).registerFill,
  classify: async () => (await import('./classify.js')).registerClassify,
  rerank: async () => (await import('./rerank.js')).registerRerank,
  generate: async () => (await import('./generate.js')).registerGenerate,
  chat: async () => (await import('./chat.js')).registerChat,
  score: async () => (await import('./score.js')).registerScore,
  tokenizer: async () => (await import('./tokenizer.js')).registerTokenizer,
  train: async () => (await import('./train.js')).registerTrain,
  estimate: async () => (await import('./estimate.js')).registerEstimate,
  merge: async () => (await import('./merge.js')).registerMerge,
  inspect: async () => (await import('./inspect.js')).registerInspect,
  particles: async () => (await import('./particles.js')).registerParticles,
  models: async () => (await import('./models.js')).registerModels,
  bench: async () => [
    (await import('./bench.js')).registerBench,
    (await import('./bench_machine.js')).registerBenchMachine,
  ],
  build: async () => (await import('./build.js')).registerBuild,
};

const cli = cac('heddle');
const [first = '', ...more] = process.argv.slice(2);
const asksVersion = ['--version', '-v'].includes(first) && more.length === 0;
const all = asksVersion ? [] : Object.values(commands);
const loads = Object.hasOwn(commands, first) ? [commands[first]] : all;
for (const registers of await Promise.all(loads.map((load) => load?.() ?? []))) {
  for (const register of [registers].flat()) register(cli);
}
cli.help();
cli.version(packageJson.version);

function fail(error: unknown): void {
  const isUsage =
    (error instanceof Error && error.name === 'CACError') ||
    (error instanceof HeddleError &&
      // A variable set wrong is part of the call, also where its value is one that only this CPU lacks.
      (error.code === 'ERR_ARGUMENT' || error.where?.startsWith('HEDDLE_')));
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`heddle: ${message.replaceAll('\n', ' ')}\n`);
  if (!(error instanceof Error && (isUsage || error instanceof HeddleError))) {
    process.stderr.write(`${(error as Error).stack ?? ''}\n`);
  }
  process.exitCode = isUsage ? 2 : 1;
}

/** A reader that stops early, such as `head`, is no error. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

const options = [cli.globalCommand, ...cli.commands].flatMap((command) => command.options);
const flags = new Set(options.flatMap(({ names, isBoolean }) => (isBoolean ? names : [])));

try {
  const [node, script, ...args] = process.argv;
  cli.parse([node, script, ...unambiguous(joinSubcommand(args), flags)], { run: false });
  cli.args = [...cli.args, ...cli.options['--']]; // what follows `--` is arguments, whatever it looks like
  const asked = cli.options.help || cli.options.version;
  if (!cli.matchedCommand && !asked) {
    if (cli.args.length > 0) {
      throw new HeddleError(
        'ERR_ARGUMENT',
        `there is no command '${cli.args[0]}'; see: heddle --help`,
      );
    }
    cli.outputHelp();
    process.exitCode = 2;
  } else {
    await cli.runMatchedCommand();
  }
} catch (error) {
  fail(error);
}
