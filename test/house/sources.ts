/** The files of the project, for the tests of its house rules. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Source {
  /** From the top of the project, with forward slashes. */
  path: string;
  text: string;
}

/** Every file that is or would be committed, under one of the folders (or all) and of one of the kinds (or any). */
export function sources(folders: string[] = [], kinds: string[] = []): Source[] {
  const git = ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate', '--'];
  const paths = execFileSync('git', [...git, ...folders], { cwd: root, encoding: 'utf8' }).split(
    '\n',
  );
  return paths
    .filter(
      (path) => path !== '' && (kinds.length === 0 || kinds.some((kind) => path.endsWith(kind))),
    )
    .flatMap((path) => {
      const text = read(path);
      return text === undefined ? [] : [{ path, text }];
    });
}

function read(path: string): string | undefined {
  try {
    return readFileSync(root + path, 'utf8');
  } catch {
    return undefined; // deleted, and not yet so in git's index
  }
}
