// Elementary functions, written once over the vector vocabulary. Coefficients:
// scripts/polynomials.py.
//
// Bounds are in units of the last place of the float32 result, over all finite inputs whose result
// is a normal number; test/math_test.cc holds them. NaN gives NaN everywhere.
#pragma once

#include "simd/simd.h"

namespace heddle::HEDDLE_ISA {

template <int Count>
HEDDLE_INLINE F32 polynomial(const float (&coefficients)[Count], F32 x) {
  F32 value = broadcast(coefficients[Count - 1]);
#pragma GCC unroll 16
  for (int i = Count - 2; i >= 0; i--) value = fma(value, x, broadcast(coefficients[i]));
  return value;
}

// e^(x − n·ln 2) for |x − n·ln 2| ≤ ln 2 / 2: Cody and Waite (1980), 1 + r + r²·p(r).
HEDDLE_INLINE F32 expOfRemainder(F32 x, F32 n) {
  constexpr float kCoefficients[] = {0.5f, 0.166665778f, 0.0416668542f, 0.00836314075f,
                                     0.0013901284f};
  // ln 2 in two parts, the first so short that its product with n is exact without a fused
  // operation.
  F32 r = fnma(n, broadcast(0.693359375f), x);
  r = fnma(n, broadcast(-0.000212194442f), r);
  return add(fma(polynomial(kCoefficients, r), mul(r, r), r), broadcast(1.0f));
}

// eˣ within 2 ULP; 0 below −104, +∞ above 88.73, subnormal results within 2⁻¹⁴⁹.
HEDDLE_INLINE F32 exp(F32 x) {
  // Beyond these the result is 0 or infinite anyway, and n stays a small integer.
  const F32 bounded = min(broadcast(89.0f), max(broadcast(-105.0f), x));
  const F32 n = roundEven(mul(bounded, broadcast(1.44269504f)));
  return scaleByPowerOfTwo(expOfRemainder(bounded, n), n);
}

// eˣ for x ≤ 0 within 2 ULP; 0 below −87, where the result would be subnormal and slow. For
// softmax.
HEDDLE_INLINE F32 expNonPositive(F32 x) {
  const F32 least = broadcast(-87.0f);
  const F32 n =
      roundEven(mul(max(x, least), broadcast(1.44269504f)));  // finite, also where x is NaN
  return select(less(x, least), zero(), scaleInRange(expOfRemainder(x, n), n));
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
