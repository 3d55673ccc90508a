#include "kernels/norm.h"

#include "kernels/rows.h"

namespace heddle::HEDDLE_ISA {

// What takes a row to mean 0 and variance 1: (x − mean − rest)·factor.
struct Centering {
  F32 mean, rest, factor;
  F32 centered(F32 x) const { return sub(sub(x, mean), rest); }
  F32 normed(F32 x) const { return mul(centered(x), factor); }
};

static Centering centeringOf(const float* x, int64_t columns, float epsilon) {
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
  return {mean, rest, factor};
}

static void layerNormRow(const float* x, float* y, int64_t columns, const float* gamma,
                         const float* beta, float epsilon) {
  const Centering centering = centeringOf(x, columns, epsilon);
  forEachVector(columns, [&](int64_t i, int n) {
    F32 value = centering.normed(loadUpTo(x + i, n));
    if (gamma) value = mul(value, loadUpTo(gamma + i, n));
    if (beta) value = add(value, loadUpTo(beta + i, n));
    storeUpTo(y + i, value, n);
  });
}

static F32 rmsFactor(const float* x, int64_t columns, float epsilon) {
  const float squares = sumOver(columns, [&](int64_t i, int n) {
    const F32 value = loadUpTo(x + i, n);
    return mul(value, value);
  });
  const F32 mean = broadcast(squares / static_cast<float>(columns));
  return div(broadcast(1.0f), sqrt(add(mean, broadcast(epsilon))));
}

static void rmsNormRow(const float* x, float* y, int64_t columns, const float* gamma, float epsilon,
                       float offset) {
  const F32 factor = rmsFactor(x, columns, epsilon);
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

// y = (g − mean(g) − n·mean(g·n))·factor for one row, where n is the normalised x; without mean(g)
// where nothing was subtracted from x. normed(i, n), weighted(i, n): n and g, given 0 beyond n.
template <bool kCentered, typename Normed, typename Weighted>
static void normGradientRow(float* y, int64_t columns, F32 factor, const Normed& normed,
                            const Weighted& weighted) {
  const float count = static_cast<float>(columns);
  const F32 shift = broadcast(kCentered ? sumOver(columns, weighted) / count : 0.0f);
  const F32 along = broadcast(
      sumOver(columns,
              [&](int64_t i, int n) { return mul(weighted(i, n), keepFirst(normed(i, n), n)); }) /
      count);
  forEachVector(columns, [&](int64_t i, int n) {
    storeUpTo(y + i, mul(sub(fnma(normed(i, n), along, weighted(i, n)), shift), factor), n);
  });
}

static void layerNormGradient(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const float* gamma = static_cast<const float*>(call.inputs[1].data);
  const int64_t columns = x.dims[1];
  const float epsilon = static_cast<float>(call.floats[0]);
  forEachRow(call, x.dims[0], columns, [&](int64_t r) {
    const float* row = static_cast<const float*>(x.data) + r * columns;
    const float* gradient = static_cast<const float*>(call.inputs[2].data) + r * columns;
    const Centering centering = centeringOf(row, columns, epsilon);
    normGradientRow<true>(
        static_cast<float*>(call.outputs[0].data) + r * columns, columns, centering.factor,
        [&](int64_t i, int n) { return centering.normed(loadUpTo(row + i, n)); },
        [&](int64_t i, int n) {
          const F32 g = loadUpTo(gradient + i, n);
          return gamma ? mul(g, loadUpTo(gamma + i, n)) : g;
        });
  });
}

static void rmsNormGradient(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const float* gamma = static_cast<const float*>(call.inputs[1].data);
  const int64_t groups = call.ints[0], columns = x.dims[1] / groups;
  const float epsilon = static_cast<float>(call.floats[0]);
  const F32 offset = broadcast(static_cast<float>(call.floats[1]));
  forEachRow(call, x.dims[0] * groups, columns, [&](int64_t r) {
    const float* row = static_cast<const float*>(x.data) + r * columns;
    const float* gradient = static_cast<const float*>(call.inputs[2].data) + r * columns;
    const F32 factor = rmsFactor(row, columns, epsilon);
    normGradientRow<false>(
        static_cast<float*>(call.outputs[0].data) + r * columns, columns, factor,
        [&](int64_t i, int n) { return mul(loadUpTo(row + i, n), factor); },
        [&](int64_t i, int n) {
          const F32 g = loadUpTo(gradient + i, n);
          return gamma ? mul(g, add(loadUpTo(gamma + i, n), offset)) : g;
        });
  });
}

}  // namespace heddle::HEDDLE_ISA
