#include "kernels/norm.h"

#include "kernels/rows.h"

namespace heddle::HEDDLE_ISA {

static void layerNormRow(const float* x, float* y, int64_t columns, const float* gamma,
                         const float* beta, float epsilon) {
  const float count = static_cast<float>(columns);
  const F32 mean =
      broadcast(sumOver(columns, [&](int64_t i, int n) { return loadUpTo(x + i, n); }) / count);
  // What the rounded mean left over; usually nearly 0.
  const F32 rest = broadcast(
      sumOver(columns,
              [&](int64_t i, int n) { return keepFirst(sub(loadUpTo(x + i, n), mean), n); }) /
      count);
  const auto centered = [&](int64_t i, int n) { return sub(sub(loadUpTo(x + i, n), mean), rest); };
  const F32 variance = broadcast(sumOver(columns,
                                         [&](int64_t i, int n) {
                                           const F32 d = keepFirst(centered(i, n), n);
                                           return mul(d, d);
                                         }) /
                                 count);
  const F32 factor = div(broadcast(1.0f), sqrt(add(variance, broadcast(epsilon))));
  forEachVector(columns, [&](int64_t i, int n) {
    F32 value = mul(centered(i, n), factor);
    if (gamma) value = mul(value, loadUpTo(gamma + i, n));
    if (beta) value = add(value, loadUpTo(beta + i, n));
    storeUpTo(y + i, value, n);
  });
}

static void rmsNormRow(const float* x, float* y, int64_t columns, const float* gamma, float epsilon,
                       float offset) {
  const float squares = sumOver(columns, [&](int64_t i, int n) {
    const F32 value = loadUpTo(x + i, n);
    return mul(value, value);
  });
  const F32 mean = broadcast(squares / static_cast<float>(columns));
  const F32 factor = div(broadcast(1.0f), sqrt(add(mean, broadcast(epsilon))));
  forEachVector(columns, [&](int64_t i, int n) {
    F32 value = mul(loadUpTo(x + i, n), factor);
    if (gamma) value = mul(value, add(loadUpTo(gamma + i, n), broadcast(offset)));
    storeUpTo(y + i, value, n);
  });
}

static void layerNorm(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const float* from = static_cast<const float*>(x.data);
  const float* gamma = static_cast<const float*>(call.inputs[1].data);
  const float* beta = static_cast<const float*>(call.inputs[2].data);
  float* to = static_cast<float*>(call.outputs[0].data);
  const int64_t columns = x.dims[1];
  const float epsilon = static_cast<float>(call.floats[0]);
  forEachRow(call, x.dims[0], columns, [&](int64_t r) {
    layerNormRow(from + r * columns, to + r * columns, columns, gamma, beta, epsilon);
  });
}

static void rmsNorm(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const float* from = static_cast<const float*>(x.data);
  const float* gamma = static_cast<const float*>(call.inputs[1].data);
  float* to = static_cast<float*>(call.outputs[0].data);
  const int64_t groups = call.ints[0], columns = x.dims[1] / groups;
  const float epsilon = static_cast<float>(call.floats[0]);
  const float offset = static_cast<float>(call.floats[1]);
  forEachRow(call, x.dims[0] * groups, columns, [&](int64_t r) {
    rmsNormRow(from + r * columns, to + r * columns, columns, gamma, epsilon, offset);
  });
}

}  // namespace heddle::HEDDLE_ISA
