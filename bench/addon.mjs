/** The addon itself, for benches of single kernels. */
import { createRequire } from 'node:module';

let loaded;

export function addon() {
  loaded ??= createRequire(import.meta.url)('../build/Release/heddle.node');
  return loaded;
}
