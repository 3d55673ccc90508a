/**
 * Matrix products in JavaScript as peers (bench/peer.mjs): c = a·b for square float32 matrices of n rows.
 * Usage: javascript.mjs NAME; each runs in a process of its own, so that none shapes the optimiser for another.
 */
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { randomFloats } from '../random.mjs';

const home = process.env.PEERS_HOME ?? join(homedir(), '.cache', 'heddle-peers');
const require = createRequire(join(home, 'js', 'package.json'));
const version = (name) => require(`${name}/package.json`).version;
console.warn = () => {}; // tfjs advertises on the console

/** Each gives its label and, for a size, a function that computes one product. */
const peers = {
  'float32-loop': () => ({
    label: 'Float32Array loop',
    product: (n) => {
      const [a, b, c] = matrices(n);
      return () => plainProduct(n, a, b, c);
    },
  }),
  'ndarray-gemm': () => {
    const ndarray = require('ndarray');
    const gemm = require('ndarray-gemm');
    const product = (n) => {
      const [a, b, c] = matrices(n).map((data) => ndarray(data, [n, n]));
      return () => gemm(c, a, b, 1, 0);
    };
    return { label: `ndarray-gemm ${version('ndarray-gemm')}`, product };
  },
  stdlib: () => {
    const sgemm = require('@stdlib/blas-base-sgemm');
    const product = (n) => {
      const [a, b, c] = matrices(n);
      const no = 'no-transpose';
      return () => sgemm('row-major', no, no, n, n, n, 1, a, n, b, n, 0, c, n);
    };
    return { label: `@stdlib/blas-base-sgemm ${version('@stdlib/blas-base-sgemm')}`, product };
  },
  'tfjs-wasm': async () => {
    const tf = require('@tensorflow/tfjs-core');
    require('@tensorflow/tfjs-backend-wasm');
    await tf.setBackend('wasm');
    await tf.ready();
    const product = (n) => {
      const [a, b] = matrices(n).map((data) => tf.tensor2d(data, [n, n]));
      return () => {
        const c = tf.matMul(a, b);
        c.dataSync();
        c.dispose();
      };
    };
    return { label: `tfjs-backend-wasm ${version('@tensorflow/tfjs-backend-wasm')}`, product };
  },
  'heddle-float64': async () => {
    // HEDDLE_BACKEND=reference is set by whoever starts this.
    const { ops, run, tensor } = await import('../../dist/index.mjs');
    const product = (n) => {
      const [a, b] = matrices(n).map((data) => tensor(data, [n, n]));
      return () => run(ops.matmul(a, b));
    };
    return { label: "Heddle's float64 backend", product };
  },
};

/** Rows of b stay in cache, and the inner loop walks both in order: the plain loop at its best. */
function plainProduct(n, a, b, c) {
  c.fill(0);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      const factor = a[i * n + k];
      for (let j = 0; j < n; j++) c[i * n + j] += factor * b[k * n + j];
    }
  }
}

function matrices(n) {
  return [randomFloats(n * n), randomFloats(n * n), new Float32Array(n * n)];
}

const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
try {
  const { label, product } = await peers[process.argv[2]]();
  answer({ name: label });
  let size;
  let once;
  for await (const line of createInterface({ input: process.stdin })) {
    const { n, reps } = JSON.parse(line);
    if (n !== size) [size, once] = [n, product(n)];
    const ms = [];
    for (let i = 0; i < reps; i++) {
      const begin = performance.now();
      await once();
      ms.push(performance.now() - begin);
    }
    answer({ ms });
  }
} catch (error) {
  answer({
    error:
      error.code === 'MODULE_NOT_FOUND' ? 'not installed (bench/peers/setup.sh)' : error.message,
  });
}
