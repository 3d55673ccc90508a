#!/usr/bin/env node
/** The command `heddle`. Exit code 0: done; 2: a wrong call; 1: everything else, with one line on stderr. */
import { cac } from 'cac';
import packageJson from '../../package.json' with { type: 'json' };
import { HeddleError } from '../errors.js';
import { joinSubcommand, unambiguous } from './arguments.js';
import { registerBench } from './bench.js';
import { registerBuild } from './build.js';
import { registerChat } from './chat.js';
import { registerClassify } from './classify.js';
import { registerEmbed } from './embed.js';
import { registerFill } from './fill.js';
import { registerGenerate } from './generate.js';
import { registerInspect } from './inspect.js';
import { registerMerge } from './merge.js';
import { registerModels } from './models.js';
import { registerParticles } from './particles.js';
import { registerRerank } from './rerank.js';
import { registerScore } from './score.js';
import { registerSearch } from './search.js';
import { registerTokenizer } from './tokenizer.js';
import { registerTrain } from './train.js';

const cli = cac('heddle');
registerEmbed(cli);
registerSearch(cli);
registerFill(cli);
registerClassify(cli);
registerRerank(cli);
registerGenerate(cli);
registerChat(cli);
registerScore(cli);
registerTokenizer(cli);
registerTrain(cli);
registerMerge(cli);
registerInspect(cli);
registerParticles(cli);
registerModels(cli);
registerBench(cli);
registerBuild(cli);
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
