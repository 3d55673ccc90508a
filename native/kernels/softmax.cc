#include "kernels/softmax.h"

#include "kernels/rows.h"

namespace heddle::HEDDLE_ISA {

static void softmaxRow(const float* x, float* y, int64_t n, float t) {
  const float towards = t < 0 ? -1.0f : 1.0f;
  F32 best = broadcast(-__builtin_inff());
  const int64_t whole = n / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes)
    best = max(mul(load(x + i), broadcast(towards)), best);
  float greatest = maximum(best);
  for (int64_t i = whole; i < n; i++)
    greatest = x[i] * towards > greatest ? x[i] * towards : greatest;

  const F32 reference = broadcast(greatest * towards);
  const F32 divisor = broadcast(sumOver(n, [&](int64_t i, int count) {
    const F32 weight = exp(mul(sub(loadUpTo(x + i, count), reference), broadcast(t)));
    storeUpTo(y + i, weight, count);
    return keepFirst(weight, count);
  }));
  forEachVector(n, [&](int64_t i, int count) {
    storeUpTo(y + i, div(loadUpTo(y + i, count), divisor), count);
  });
}

static void softmax(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const float* from = static_cast<const float*>(x.data);
  float* to = static_cast<float*>(call.outputs[0].data);
  const float t = static_cast<float>(call.floats[0]);
  const int64_t columns = x.dims[1];
  if (columns == 0) return;
  forEachRow(call, x.dims[0], columns,
             [&](int64_t r) { softmaxRow(from + r * columns, to + r * columns, columns, t); });
}

static void softmaxGradient(const Call& call, int, int, Scratch) {
  const Tensor& y = call.inputs[0];
  const int64_t columns = y.dims[1];
  const F32 t = broadcast(static_cast<float>(call.floats[0]));
  forEachRow(call, y.dims[0], columns, [&](int64_t r) {
    const float* row = static_cast<const float*>(y.data) + r * columns;
    const float* gradient = static_cast<const float*>(call.inputs[1].data) + r * columns;
    float* to = static_cast<float*>(call.outputs[0].data) + r * columns;
    const F32 along = broadcast(sumOver(columns, [&](int64_t i, int n) {
      return mul(loadUpTo(row + i, n), loadUpTo(gradient + i, n));
    }));
    forEachVector(columns, [&](int64_t i, int n) {
      const F32 rest = sub(loadUpTo(gradient + i, n), along);
      storeUpTo(to + i, mul(mul(loadUpTo(row + i, n), t), rest), n);
    });
  });
}

}  // namespace heddle::HEDDLE_ISA
