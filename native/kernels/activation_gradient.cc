#include "kernels/activation_gradient.h"

#include "kernels/activation.h"
#include "kernels/rows.h"
#include "kernels/span.h"

namespace heddle::HEDDLE_ISA {

// σ(x) and its derivative σ·(1 − σ), both by e^−|x|: neither cancels, however far from 0.
struct Logistic {
  F32 value, slope;
};

HEDDLE_INLINE Logistic logistic(F32 x) {
  const F32 power = exp(neg(abs(x)));
  const F32 larger = div(broadcast(1.0f), add(broadcast(1.0f), power));
  const F32 smaller = mul(power, larger);
  return {select(less(x, zero()), smaller, larger), mul(smaller, larger)};
}

// f′ for f(x) = x·σ(scale·x): σ + scale·x·σ′.
HEDDLE_INLINE F32 gatedSlope(F32 x, F32 scale) {
  const F32 scaled = mul(x, scale);
  const Logistic gate = logistic(scaled);
  return fma(scaled, gate.slope, gate.value);
}

template <Activation Kind>
HEDDLE_INLINE F32 slope(F32 x) {
  const F32 one = broadcast(1.0f), half = broadcast(0.5f);
  if constexpr (Kind == Activation::kRelu) {
    return select(isNan(x), x, select(less(zero(), x), one, zero()));
  }
  if constexpr (Kind == Activation::kGelu) {  // Φ(x) + x·φ(x)
    const F32 area = fma(half, erf(mul(x, broadcast(0.707106781f))), half);
    const F32 density = mul(broadcast(0.398942280f), exp(mul(mul(x, x), broadcast(-0.5f))));
    return fma(x, density, area);
  }
  if constexpr (Kind == Activation::kGeluTanh) {
    // The gate ½·(1 + tanh(u)) is σ(2·u), with u = √(2/π)·(x + 0.044715·x³).
    const F32 square = mul(x, x);
    const F32 cubic = fma(mul(square, x), broadcast(0.044715f), x);
    const Logistic gate = logistic(mul(cubic, broadcast(2 * 0.797884561f)));
    const F32 inner = mul(broadcast(2 * 0.797884561f), fma(square, broadcast(3 * 0.044715f), one));
    return fma(mul(x, inner), gate.slope, gate.value);
  }
  if constexpr (Kind == Activation::kSilu) return gatedSlope(x, one);
  if constexpr (Kind == Activation::kTanh) {  // tanh(x) = 2·σ(2·x) − 1
    return mul(broadcast(4.0f), logistic(add(x, x)).slope);
  }
  if constexpr (Kind == Activation::kSigmoid) return logistic(x).slope;
  if constexpr (Kind == Activation::kQuickGelu) return gatedSlope(x, broadcast(1.702f));
  return one;
}

template <Activation Kind>
static void slopeSpans(const Call& call) {
  const float* x = static_cast<const float*>(call.inputs[0].data);
  const float* gradient = static_cast<const float*>(call.inputs[1].data);
  float* y = static_cast<float*>(call.outputs[0].data);
  forEachSpan(call, countElements(call.outputs[0]), [&](int64_t begin, int64_t end) {
    forEachVector(end - begin, [&](int64_t i, int n) {
      const F32 factor = slope<Kind>(loadUpTo(x + begin + i, n));
      storeUpTo(y + begin + i, mul(factor, loadUpTo(gradient + begin + i, n)), n);
    });
  });
}

static void activationGradient(const Call& call, int, int, Scratch) {
  switch (static_cast<Activation>(call.ints[0])) {
    case Activation::kNone:
      return slopeSpans<Activation::kNone>(call);
    case Activation::kRelu:
      return slopeSpans<Activation::kRelu>(call);
    case Activation::kGelu:
      return slopeSpans<Activation::kGelu>(call);
    case Activation::kGeluTanh:
      return slopeSpans<Activation::kGeluTanh>(call);
    case Activation::kSilu:
      return slopeSpans<Activation::kSilu>(call);
    case Activation::kTanh:
      return slopeSpans<Activation::kTanh>(call);
    case Activation::kSigmoid:
      return slopeSpans<Activation::kSigmoid>(call);
    case Activation::kQuickGelu:
      return slopeSpans<Activation::kQuickGelu>(call);
  }
}

}  // namespace heddle::HEDDLE_ISA
