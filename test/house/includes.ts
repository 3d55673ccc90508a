/** The direction of includes in native/, and what its kernels keep out. */
import { posix } from 'node:path';
import type { Source } from './sources.js';

/** From the top down: a file includes its own line and the lines below it. What is not named is the engine's. */
const layers = ['binding', 'api', 'engine', 'dispatch', 'kernels', 'simd'];

function layerOf(path: string): string {
  const [first = '', ...rest] = path.split('/');
  if (first === 'test') return 'simd'; // intrinsics that the tests emulate stand in for the compiler's
  const part = rest.length > 0 ? first : first.replace(/\.\w+$/, '');
  if (part === 'cpu') return 'dispatch'; // its detection of features
  return layers.includes(part) ? part : 'engine';
}

/**
 * The headers that kernels may include: those that define no inline function of namespace std. Such a
 * function, compiled for AVX-512, can become the one copy that the linker keeps for every CPU.
 */
const kernelHeaders = [
  'stddef.h',
  'stdint.h',
  'float.h',
  'string.h',
  'immintrin.h',
  'arm_neon.h',
  'simde/x86/avx512.h',
  'simde/x86/fma.h',
  'simde/x86/f16c.h',
];

const isTest = (path: string) => /^native\/(test|fuzz)\//.test(path);

/** Includes and pragmas of the file that break a rule, each as a sentence. */
export function wrongIncludes({ path, text }: Source): string[] {
  if (isTest(path)) return [];
  const own = layerOf(path.slice('native/'.length));
  const isKernel = own === 'kernels' || own === 'simd';
  const wrong: string[] = [];
  for (const [, quote, name = ''] of text.matchAll(/^\s*#\s*include\s*(["<])([^">]+)[">]/gm)) {
    if (name === 'napi.h' || name.endsWith('node_api.h')) {
      if (own !== 'binding') wrong.push(`${path} includes ${name} outside binding/`);
    } else if (quote === '"') {
      const other = layerOf(targetOf(path, name));
      if (layers.indexOf(other) < layers.indexOf(own)) wrong.push(`${path} includes ${name}`);
    } else if (isKernel && !kernelHeaders.includes(name)) {
      wrong.push(`${path} includes <${name}> in a kernel`);
    }
  }
  if (isKernel && /^\s*#\s*pragma\s+omp\b/m.test(text)) wrong.push(`${path} has an OpenMP pragma`);
  return wrong;
}

/** Paths start at native/; a name without a folder may also be a neighbour's. */
function targetOf(path: string, name: string): string {
  if (name.includes('/') && !name.startsWith('.')) return name;
  const neighbour = posix.join(posix.dirname(path), name).slice('native/'.length);
  return name.startsWith('.') || layerOf(name) === 'engine' ? neighbour : name;
}
