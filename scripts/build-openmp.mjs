/**
 * Prints 1 where the C++ compiler has OpenMP and its library, else 0: then native/parallel.h uses
 * threads of its own.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const source = '#include <omp.h>\nint main() { return omp_get_max_threads() < 1; }\n';

function hasOpenMp() {
  // clang-cl needs a DLL that would have to be shipped.
  if (process.platform === 'win32') return false;
  const folder = mkdtempSync(join(tmpdir(), 'heddle-'));
  try {
    const [compiler, ...flags] = (process.env.CXX ?? 'c++').split(' ');
    const args = [...flags, '-fopenmp', '-x', 'c++', '-', '-o', join(folder, 'probe')];
    return (
      spawnSync(compiler, args, { input: source, stdio: ['pipe', 'ignore', 'ignore'] }).status === 0
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

console.log(hasOpenMp() ? 1 : 0);
