import { NativeBackend } from '../lib/graph/native_backend.js';
import { loadAddon } from '../lib/native.js';

let backend: NativeBackend | undefined;

/** The native engine; tests that need it fail where the addon is not built. */
export function nativeBackend(): NativeBackend {
  if (!backend) {
    const native = loadAddon();
    if (!native.addon) throw new Error(`${native.reason}; run: npm run build:addon`);
    backend = new NativeBackend(native.addon);
  }
  return backend;
}
