#include "kernels/optimizer.h"

#include "kernels/rows.h"
#include "kernels/span.h"

namespace heddle::HEDDLE_ISA {

// By one thread: the others go on to the next parameter's sum, which does not depend on this one.
static void sumOfSquares(const Call& call, int, int, Scratch) {
  if (claim(call.work) != 0) return;
  const float* x = static_cast<const float*>(call.inputs[0].data);
  const int64_t count = countElements(call.inputs[0]);
  double total = 0;
  for (int64_t begin = 0; begin < count; begin += kElementSpan) {
    total +=
        static_cast<double>(sumOver(smaller(kElementSpan, count - begin), [&](int64_t i, int n) {
          const F32 value = loadUpTo(x + begin + i, n);
          return mul(value, value);
        }));
  }
  *static_cast<float*>(call.outputs[0].data) = static_cast<float>(total);
}

static void clipFactor(const Call& call, int, int, Scratch) {
  if (claim(call.work) != 0) return;
  const float norm = __builtin_sqrtf(*static_cast<const float*>(call.inputs[0].data));
  const float ratio = static_cast<float>(call.floats[0]) / (norm + 1e-6f);
  *static_cast<float*>(call.outputs[0].data) = ratio >= 1 ? 1.0f : ratio;
}

static void moment(const Call& call, int, int, Scratch) {
  const float* before = static_cast<const float*>(call.inputs[0].data);
  const float* gradient = static_cast<const float*>(call.inputs[1].data);
  const float* clip = static_cast<const float*>(call.inputs[2].data);
  float* y = static_cast<float*>(call.outputs[0].data);
  const bool isSquared = call.ints[0] == 2;
  const F32 keep = broadcast(static_cast<float>(call.floats[0]));
  const F32 take = broadcast(static_cast<float>(call.floats[1]));
  const F32 factor = broadcast(clip ? *clip : 1.0f);
  forEachSpan(call, countElements(call.outputs[0]), [&](int64_t begin, int64_t end) {
    forEachVector(end - begin, [&](int64_t i, int n) {
      F32 g = mul(loadUpTo(gradient + begin + i, n), factor);
      if (isSquared) g = mul(g, g);
      const F32 kept = mul(loadUpTo(before + begin + i, n), keep);
      storeUpTo(y + begin + i, fma(g, take, kept), n);
    });
  });
}

static void descend(const Call& call, int, int, Scratch) {
  const float* p = static_cast<const float*>(call.inputs[0].data);
  const float* direction = static_cast<const float*>(call.inputs[1].data);
  const float* squares = static_cast<const float*>(call.inputs[2].data);
  const float* rates = static_cast<const float*>(call.inputs[3].data);
  float* y = static_cast<float*>(call.outputs[0].data);
  const bool sign = call.ints[0] != 0;
  const F32 rate = broadcast(rates[0]), first = broadcast(rates[1]), second = broadcast(rates[2]);
  const F32 decay = broadcast(static_cast<float>(call.floats[0]));
  const F32 epsilon = broadcast(static_cast<float>(call.floats[1]));
  const F32 one = broadcast(1.0f);
  forEachSpan(call, countElements(call.outputs[0]), [&](int64_t begin, int64_t end) {
    forEachVector(end - begin, [&](int64_t i, int n) {
      const F32 value = loadUpTo(p + begin + i, n);
      const F32 raw = loadUpTo(direction + begin + i, n);
      F32 step = mul(raw, first);
      if (sign) {
        step = select(less(zero(), raw), one, select(less(raw, zero()), neg(one), raw));
      }
      if (squares) {
        const F32 root = sqrt(mul(loadUpTo(squares + begin + i, n), second));
        step = div(step, add(root, epsilon));
      }
      storeUpTo(y + begin + i, fnma(rate, fma(decay, value, step), value), n);
    });
  });
}

static void adam(const Call& call, int, int, Scratch) {
  const float* gradient = static_cast<const float*>(call.inputs[0].data);
  const float* rates = static_cast<const float*>(call.inputs[1].data);
  const float* clip = static_cast<const float*>(call.inputs[2].data);
  const float* guard = static_cast<const float*>(call.inputs[3].data);
  if (guard && !__builtin_isfinite(*guard)) return;
  float* p = static_cast<float*>(call.outputs[0].data);
  float* means = static_cast<float*>(call.outputs[1].data);
  float* squares = static_cast<float*>(call.outputs[2].data);
  const F32 rate = broadcast(rates[0]), first = broadcast(rates[1]), second = broadcast(rates[2]);
  const F32 keepMean = broadcast(static_cast<float>(call.floats[0]));
  const F32 keepSquare = broadcast(static_cast<float>(call.floats[1]));
  const F32 takeMean = broadcast(static_cast<float>(1 - call.floats[0]));
  const F32 takeSquare = broadcast(static_cast<float>(1 - call.floats[1]));
  const F32 decay = broadcast(static_cast<float>(call.floats[2]));
  const F32 epsilon = broadcast(static_cast<float>(call.floats[3]));
  const F32 factor = broadcast(clip ? *clip : 1.0f);
  forEachSpan(call, countElements(call.outputs[0]), [&](int64_t begin, int64_t end) {
    forEachVector(end - begin, [&](int64_t i, int n) {
      const int64_t at = begin + i;
      const F32 g = mul(loadUpTo(gradient + at, n), factor);
      const F32 mean = fma(g, takeMean, mul(loadUpTo(means + at, n), keepMean));
      const F32 square = fma(mul(g, g), takeSquare, mul(loadUpTo(squares + at, n), keepSquare));
      storeUpTo(means + at, mean, n);
      storeUpTo(squares + at, square, n);
      const F32 root = sqrt(mul(square, second));
      const F32 step = div(mul(mean, first), add(root, epsilon));
      const F32 value = loadUpTo(p + at, n);
      storeUpTo(p + at, fnma(rate, fma(decay, value, step), value), n);
    });
  });
}

}  // namespace heddle::HEDDLE_ISA
