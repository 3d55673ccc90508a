// References in double precision for the kernels of products and activations.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/gemm.h"

namespace heddle::test {

constexpr Activation kActivations[] = {
    Activation::kNone, Activation::kRelu, Activation::kGelu,    Activation::kGeluTanh,
    Activation::kSilu, Activation::kTanh, Activation::kSigmoid, Activation::kQuickGelu};

inline double activated(Activation kind, double x) {
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  switch (kind) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x > 0 || std::isnan(x) ? x : 0;
    case Activation::kGelu:
      return x * 0.5 * (1 + std::erf(x * std::sqrt(0.5)));
    case Activation::kGeluTanh:
      return x * 0.5 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case Activation::kSilu:
      return x * sigmoid(x);
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kSigmoid:
      return sigmoid(x);
    case Activation::kQuickGelu:
      return x * sigmoid(1.702 * x);
  }
  return NAN;
}

// To the nearest bfloat16, ties to even; finite values only.
inline uint16_t toBf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float fromBf16(uint16_t half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

// A normal float16 from its parts; the tests make their float16 values from bits.
inline float fromF16(uint16_t half) {
  const float value = std::ldexp(static_cast<float>(1024 + (half & 1023)), (half >> 10 & 31) - 25);
  return half & 0x8000 ? -value : value;
}

}  // namespace heddle::test
