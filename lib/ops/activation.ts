import { checkChoice } from '../graph/options.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import { expectTensor, record, type Tensor } from '../graph/tensor.js';
import { float32 } from './operands.js';

/** Numbered as `Activation` of native/kernels/gemm.h. */
export const activations = [
  'none',
  'relu',
  'gelu',
  'geluTanh',
  'silu',
  'tanh',
  'sigmoid',
  'quickGelu',
] as const;

/**
 * `gelu`: x·Φ(x) by the error function; `geluTanh`: its tanh approximation (Hendrycks & Gimpel 2016,
 * section 2); `silu`: x·σ(x); `quickGelu`: x·σ(1.702 x).
 */
export type Activation = (typeof activations)[number];

/** The activation of one number, in float64. */
export function activate(kind: Activation, x: number): number {
  switch (kind) {
    case 'none':
      return x;
    case 'relu':
      return x > 0 || Number.isNaN(x) ? x : 0;
    case 'gelu':
      return 0.5 * x * erfc(-x * Math.SQRT1_2);
    case 'geluTanh':
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
    case 'silu':
      return x / (1 + Math.exp(-x));
    case 'tanh':
      return Math.tanh(x);
    case 'sigmoid':
      return 1 / (1 + Math.exp(-x));
    case 'quickGelu':
      return x / (1 + Math.exp(-1.702 * x));
  }
}

/**
 * The complementary error function in float64, to about 1e-15: the Maclaurin series of erf near zero
 * (Abramowitz & Stegun 7.1.6), the continued fraction of erfc elsewhere (7.1.14, evaluated by Lentz's method).
 */
function erfc(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x < 0) return 2 - erfc(-x);
  if (x > 27) return 0;
  const scale = Math.exp(-x * x);
  if (x < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; term > 1e-17 * sum; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * scale * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (x + fraction);
  return scale / Math.sqrt(Math.PI) / (x + fraction);
}

const rule = registerOp<{ activation: Activation }>({
  name: 'activation',
  operands: ['x'],
  infer: ([x]) => ({ shape: float32(x, 'x').shape, dtype: 'float32' }),
  reference([x], { activation }, { data }) {
    x.data.forEach((value, i) => {
      data[i] = activate(activation, value);
    });
  },
  lower: ({ activation }) => ({
    kernel: 'activation',
    ints: [activations.indexOf(activation)],
    floats: [],
  }),
  cost: ([x], _, output) => ({
    flops: output.shape.reduce((product, dim) => product * dim, 8),
    bytes: bytesOf(x) + bytesOf(output),
  }),
});

/** y = f(x), element by element. x: float32 of any shape. */
export function activation(x: Tensor, kind: Activation): Tensor {
  checkChoice('activation: kind', kind, activations);
  expectTensor(x, `${kind}: x`);
  return kind === 'none' ? x : record(rule, [x], { activation: kind });
}

export const relu = (x: Tensor): Tensor => activation(x, 'relu');
export const gelu = (x: Tensor): Tensor => activation(x, 'gelu');
export const silu = (x: Tensor): Tensor => activation(x, 'silu');
export const tanh = (x: Tensor): Tensor => activation(x, 'tanh');
export const sigmoid = (x: Tensor): Tensor => activation(x, 'sigmoid');
