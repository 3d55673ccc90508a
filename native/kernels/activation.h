// The activations of `activation` and of the epilogue of `linear`.
#pragma once

#include "kernels/gemm.h"
#include "simd/math.h"
#include "simd/simd.h"

namespace heddle::HEDDLE_ISA {

// The activations of `linear` and `activation` (kernels/README.md), by their defining formula:
// their error is that of the function inside, relative to |x| and not to the result where the two
// cancel. At −∞ the gated ones give NaN (−∞ · 0), as the formula does.
template <Activation Kind>
HEDDLE_INLINE F32 activate(F32 x) {
  const F32 half = broadcast(0.5f);
  if constexpr (Kind == Activation::kRelu) return max(zero(), x);  // in this order NaN stays NaN
  if constexpr (Kind == Activation::kGelu) {
    const F32 halfX = mul(x, half);
    return fma(halfX, erf(mul(x, broadcast(0.707106781f))), halfX);
  }
  if constexpr (Kind == Activation::kGeluTanh) {
    // Hendrycks and Gimpel (2016): x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
    const F32 halfX = mul(x, half);
    const F32 cubic = fma(mul(mul(x, x), broadcast(0.044715f)), x, x);
    return fma(halfX, tanh(mul(cubic, broadcast(0.797884561f))), halfX);
  }
  if constexpr (Kind == Activation::kSilu) return mul(x, sigmoid(x));
  if constexpr (Kind == Activation::kTanh) return tanh(x);
  if constexpr (Kind == Activation::kSigmoid) return sigmoid(x);
  if constexpr (Kind == Activation::kQuickGelu) return mul(x, sigmoid(mul(x, broadcast(1.702f))));
  return x;
}

}  // namespace heddle::HEDDLE_ISA
