import { checkChoice } from '../graph/options.js';
import { bytesOf, registerOp } from '../graph/rules.js';
import { expectTensor, record, type Tensor } from '../graph/tensor.js';
import { expectFloat32, float32 } from './operands.js';

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

/** The derivative of `activate`, in float64; that of relu at 0 is 0. */
function slope(kind: Activation, x: number): number {
  const gated = (gate: number, gateSlope: number): number => gate + x * gateSlope;
  const sigmoidSlope = (s: number): number => s * (1 - s);
  switch (kind) {
    case 'none':
      return 1;
    case 'relu':
      return x > 0 ? 1 : Number.isNaN(x) ? x : 0;
    case 'gelu':
      return gated(0.5 * erfc(-x * Math.SQRT1_2), Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI));
    case 'geluTanh': {
      const factor = Math.sqrt(2 / Math.PI);
      const t = Math.tanh(factor * (x + 0.044715 * x ** 3));
      return gated(0.5 * (1 + t), 0.5 * (1 - t * t) * factor * (1 + 3 * 0.044715 * x * x));
    }
    case 'silu': {
      const s = activate('sigmoid', x);
      return gated(s, sigmoidSlope(s));
    }
    case 'tanh':
      return 1 - Math.tanh(x) ** 2;
    case 'sigmoid':
      return sigmoidSlope(activate('sigmoid', x));
    case 'quickGelu': {
      const s = activate('sigmoid', 1.702 * x);
      return gated(s, 1.702 * sigmoidSlope(s));
    }
  }
}

const gradientRule = registerOp<{ activation: Activation }>({
  name: 'activationGradient',
  operands: ['x', 'gradient'],
  infer([x, gradient]) {
    const { shape } = float32(x, 'x');
    expectFloat32(gradient, 'gradient', shape);
    return { shape, dtype: 'float32' };
  },
  reference([x, gradient], { activation }, { data }) {
    x.data.forEach((value, i) => {
      data[i] = slope(activation, value) * gradient.data[i];
    });
  },
  lower: ({ activation }) => ({
    kernel: 'activationGradient',
    ints: [activations.indexOf(activation)],
    floats: [],
  }),
  inPlace: 0,
  cost: ([x, gradient], _, output) => ({
    flops: output.shape.reduce((product, dim) => product * dim, 16),
    bytes: bytesOf(x) + bytesOf(gradient) + bytesOf(output),
  }),
});

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
  inPlace: 0,
  cost: ([x], _, output) => ({
    flops: output.shape.reduce((product, dim) => product * dim, 8),
    bytes: bytesOf(x) + bytesOf(output),
  }),
  recomputed: true,
  gradient: ({ operands: [x], attributes, gradient }) => [
    record(gradientRule, [x, gradient], attributes),
  ],
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
