// Elementary functions, written once over the vector vocabulary. Coefficients:
// scripts/polynomials.py.
//
// Bounds are in units of the last place of the float32 result, over all finite inputs whose result
// is a normal number; test/math_test.cc holds them. NaN gives NaN everywhere.
#pragma once

#include "simd/simd.h"

namespace heddle::HEDDLE_ISA {

constexpr float kLog2E = 1.44269504f;

#define HEDDLE_EACH(v, count) _Pragma("GCC unroll 8") for (int v = 0; v < count; v++)

template <int Count>
HEDDLE_INLINE F32 polynomial(const float (&coefficients)[Count], F32 x) {
  F32 value = broadcast(coefficients[Count - 1]);
#pragma GCC unroll 16
  for (int i = Count - 2; i >= 0; i--) value = fma(value, x, broadcast(coefficients[i]));
  return value;
}

// eˣ within 2 ULP; 0 below −104, +∞ above 88.73, subnormal results within 2⁻¹⁴⁹. Cody and Waite
// (1980): e^r for |r| ≤ ln 2 / 2 is 1 + r + r²·p(r).
HEDDLE_INLINE F32 exp(F32 x) {
  constexpr float kCoefficients[] = {1.0f,          1.0f,           0.5f,         0.166665778f,
                                     0.0416668542f, 0.00836314075f, 0.0013901284f};
  // Beyond these the result is 0 or infinite anyway, and n stays a small integer.
  const F32 bounded = min(broadcast(89.0f), max(broadcast(-105.0f), x));
  const F32 n = roundEven(mul(bounded, broadcast(kLog2E)));
  // ln 2 in two parts, the first so short that its product with n is exact without a fused
  // operation.
  const F32 most = fnma(n, broadcast(0.693359375f), bounded);
  const F32 rest = fnma(n, broadcast(-0.000212194442f), most);
  return scaleByPowerOfTwo(polynomial(kCoefficients, rest), n);
}

// A sum with it rounds to an integer n, whose exponent bits, n + 127, are then its lowest.
constexpr float kShift = 0x1.8p23f + 127.0f;

// x ← eˣ for x ≤ 0 within 2 + 1.25·|x| ULP, for softmax; 0 below −87.33, where the result would be
// subnormal and slow. As 2^(x·log₂ e), whose product is rounded: fewer steps than exp, and less
// precise only where a weight is small beside the greatest.
//
// Step by step for all vectors: each step waits for the one before, and a CPU looks ahead only so
// far as its schedulers hold waiting operations, which is two or three such chains one after the
// other.
template <int Vectors>
HEDDLE_INLINE void expNonPositive(F32 (&x)[Vectors]) {
  // (2ʳ − 1)/r for |r| ≤ 1/2, then 1.
  constexpr float kCoefficients[] = {0.000154035122f,
                                     0.00133907353f,
                                     0.00961823761f,
                                     0.0555035733f,
                                     0.240226492f,
                                     0.693147182f,
                                     1.0f};
  const F32 shift = broadcast(kShift);
  F32 shifted[Vectors], rest[Vectors], y[Vectors];
  HEDDLE_EACH(v, Vectors) x[v] = mul(x[v], broadcast(kLog2E));
  HEDDLE_EACH(v, Vectors) shifted[v] = add(x[v], shift);
  HEDDLE_EACH(v, Vectors) rest[v] = sub(x[v], sub(shifted[v], shift));
  HEDDLE_EACH(v, Vectors) y[v] = broadcast(kCoefficients[0]);
#pragma GCC unroll 8
  for (int i = 1; i < 7; i++) {
    HEDDLE_EACH(v, Vectors) y[v] = fma(y[v], rest[v], broadcast(kCoefficients[i]));
  }
  HEDDLE_EACH(v, Vectors) y[v] = mul(y[v], powerOfTwo(shifted[v]));
  HEDDLE_EACH(v, Vectors) x[v] = select(less(x[v], broadcast(-126.0f)), zero(), y[v]);
}

HEDDLE_INLINE F32 expNonPositive(F32 x) {
  F32 y[1] = {x};
  expNonPositive(y);
  return y[0];
}

// Error function, within 6 ULP (8 in scalar): an odd rational minimax function, held at ±1 from
// where float32 has reached it.
HEDDLE_INLINE F32 erf(F32 x) {
  constexpr float kNumerator[] = {1.12837911f,    0.190594912f,    0.0527694598f,
                                  0.00377260195f, 0.000284845068f, 2.04602316e-06f};
  constexpr float kDenominator[] = {1.0f,          0.502243102f,   0.11418321f,
                                    0.0149833011f, 0.00116387103f, 3.80478123e-05f};
  const F32 bounded = min(broadcast(3.925f), max(broadcast(-3.925f), x));
  const F32 square = mul(bounded, bounded);
  const F32 ratio =
      div(mul(bounded, polynomial(kNumerator, square)), polynomial(kDenominator, square));
  return min(broadcast(1.0f), max(broadcast(-1.0f), ratio));
}

// Hyperbolic tangent, within 6 ULP (8 in scalar); as erf.
HEDDLE_INLINE F32 tanh(F32 x) {
  constexpr float kNumerator[] = {
      1.0f, 0.136799157f, 0.00386832817f, 2.80074673e-05f, 3.05850456e-08f, -1.2203483e-11f};
  constexpr float kDenominator[] = {1.0f, 0.47013247f, 0.0272458401f, 0.000393863185f,
                                    1.28736724e-06f};
  const F32 bounded = min(broadcast(9.02f), max(broadcast(-9.02f), x));
  const F32 square = mul(bounded, bounded);
  const F32 ratio =
      div(mul(bounded, polynomial(kNumerator, square)), polynomial(kDenominator, square));
  return min(broadcast(1.0f), max(broadcast(-1.0f), ratio));
}

// 1 / (1 + e⁻ˣ), within 4 ULP where x ≥ −87; 0 below −88.73.
HEDDLE_INLINE F32 sigmoid(F32 x) {
  const F32 one = broadcast(1.0f);
  return div(one, add(one, exp(neg(x))));
}

}  // namespace heddle::HEDDLE_ISA
