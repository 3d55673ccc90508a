#include "kernels/cross_entropy.h"

#include "kernels/rows.h"
#include "simd/math.h"

namespace heddle::HEDDLE_ISA {

static float greatestOf(const float* row, int64_t columns) {
  F32 best = broadcast(-__builtin_inff());
  const int64_t whole = columns / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) best = max(load(row + i), best);
  float greatest = maximum(best);
  for (int64_t i = whole; i < columns; i++) greatest = row[i] > greatest ? row[i] : greatest;
  return greatest;
}

static float sumOfExponentials(const float* row, int64_t columns, float greatest) {
  return sumOver(columns, [&](int64_t i, int n) {
    return keepFirst(exp(sub(loadUpTo(row + i, n), broadcast(greatest))), n);
  });
}

static void crossEntropy(const Call& call, int, int, Scratch) {
  const Tensor& logits = call.inputs[0];
  const int32_t* labels = static_cast<const int32_t*>(call.inputs[1].data);
  const int64_t columns = logits.dims[1];
  const float smoothing = static_cast<float>(call.floats[0]);
  forEachRow(call, logits.dims[0], columns, [&](int64_t r) {
    const float* row = static_cast<const float*>(logits.data) + r * columns;
    const float greatest = greatestOf(row, columns);
    const float total = sumOfExponentials(row, columns, greatest);
    float loss = __builtin_logf(total) - (1 - smoothing) * (row[labels[r]] - greatest);
    if (smoothing > 0) {
      const float below = sumOver(columns, [&](int64_t i, int n) {
        return keepFirst(sub(loadUpTo(row + i, n), broadcast(greatest)), n);
      });
      loss -= smoothing * (below / static_cast<float>(columns));
    }
    static_cast<float*>(call.outputs[0].data)[r] = loss;
  });
}

static void crossEntropyGradient(const Call& call, int, int, Scratch) {
  const Tensor& logits = call.inputs[0];
  const int32_t* labels = static_cast<const int32_t*>(call.inputs[1].data);
  const float* gradients = static_cast<const float*>(call.inputs[2].data);
  const int64_t columns = logits.dims[1];
  const float smoothing = static_cast<float>(call.floats[0]);
  const F32 everywhere = broadcast(smoothing / static_cast<float>(columns));
  forEachRow(call, logits.dims[0], columns, [&](int64_t r) {
    const float* row = static_cast<const float*>(logits.data) + r * columns;
    float* to = static_cast<float*>(call.outputs[0].data) + r * columns;
    const float greatest = greatestOf(row, columns);
    const F32 divisor = broadcast(sumOfExponentials(row, columns, greatest));
    const F32 gradient = broadcast(gradients[r]);
    forEachVector(columns, [&](int64_t i, int n) {
      const F32 weight = div(exp(sub(loadUpTo(row + i, n), broadcast(greatest))), divisor);
      storeUpTo(to + i, mul(sub(weight, everywhere), gradient), n);
    });
    to[labels[r]] -= (1 - smoothing) * gradients[r];
  });
}

}  // namespace heddle::HEDDLE_ISA
