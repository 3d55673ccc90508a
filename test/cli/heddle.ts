import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

const builtCommand = fileURLToPath(new URL('../../dist/cli.mjs', import.meta.url));

/** Runs the built command to its end. No HEDDLE_* variable of the caller reaches it. */
export function heddle(
  args: readonly string[],
  { env = {}, stdin = '', command = builtCommand } = {} as {
    env?: Record<string, string>;
    stdin?: string;
    command?: string;
  },
): Promise<Finished> {
  return finish(process.execPath, [command, ...args], env, stdin);
}

/** Runs one of the project's scripts to its end. */
export function script(
  name: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Finished> {
  const file = fileURLToPath(new URL(`../../scripts/${name}`, import.meta.url));
  return finish(process.execPath, [file, ...args], env, '');
}

/** Runs Node to its end, in a folder. */
export function node(
  args: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<Finished> {
  return finish(process.execPath, args, env, '', cwd);
}

/** Runs a line of shell in which "$heddle" is the command. */
export function shell(line: string, args: readonly string[]): Promise<Finished> {
  const heddle = `${process.execPath} ${builtCommand}`;
  return finish('bash', ['-c', line, 'bash', ...args], { heddle }, '');
}

function finish(
  program: string,
  args: readonly string[],
  env: Record<string, string>,
  stdin: string,
  cwd?: string,
): Promise<Finished> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(HEDDLE|NODE|VITEST)/.test(name),
  );
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { ...Object.fromEntries(inherited), ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.on('error', () => undefined); // it may end without reading
    child.stdin.end(stdin);
  });
}
