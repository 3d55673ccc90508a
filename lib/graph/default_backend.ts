import { HeddleError } from '../errors.js';
import { loadAddon, settings } from '../native.js';
import type { Backend } from './backend.js';
import { NativeBackend } from './native_backend.js';
import { ReferenceBackend } from './reference_backend.js';

let backend: Backend | undefined;

/** The native engine where its addon loads; else the TypeScript backend, with one warning. */
export function defaultBackend(): Backend {
  backend ??= choose();
  return backend;
}

function choose(): Backend {
  if (settings.backend && settings.backend !== 'reference' && settings.backend !== 'native') {
    throw new HeddleError(
      'ERR_ARGUMENT',
      `HEDDLE_BACKEND: expected native or reference, found '${settings.backend}'`,
    );
  }
  const native = loadAddon();
  if (native.addon) return new NativeBackend(native.addon);
  if (settings.backend === 'native') {
    throw new HeddleError(
      'ERR_ENGINE',
      `HEDDLE_BACKEND=native, but ${native.reason}; run: npx heddle build`,
    );
  }
  if (settings.backend !== 'reference') {
    process.emitWarning(
      `${native.reason}, so Heddle runs on its TypeScript backend, many times slower. To build it: npx heddle build`,
      { code: 'HEDDLE_NO_ADDON' },
    );
  }
  return new ReferenceBackend();
}
