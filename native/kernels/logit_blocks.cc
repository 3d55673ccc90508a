#include "kernels/logit_blocks.h"

#include "kernels/rows.h"

namespace heddle::HEDDLE_ISA {

static inline float copyAndFindGreatest(const float* x, int64_t count, float* y) {
  F32 best = broadcast(-__builtin_inff());
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const F32 value = load(x + i);
    store(y + i, value);
    best = max(value, best);
  }
  float greatest = maximum(best);
  for (; i < count; i++) {
    y[i] = x[i];
    if (x[i] > greatest) greatest = x[i];
  }
  return greatest;
}

// Σ exp(x/t − g/t). In halves, which keeps the chains of additions short where a vector is one
// float.
static inline float sumOfWeights(const float* x, int64_t count, float greatest, float temperature) {
  const F32 t = broadcast(temperature);
  // Where all are −∞, their difference would be NaN.
  const F32 reference = broadcast(greatest == -__builtin_inff() ? 0 : greatest / temperature);
  const auto part = [&](int64_t begin, int64_t end) {
    return sumOver(end - begin, [&](int64_t i, int n) {
      return keepFirst(exp(sub(div(loadUpTo(x + begin + i, n), t), reference)), n);
    });
  };
  const int64_t half = smaller(count, kLogitBlock / 2);
  return part(0, half) + part(half, count);
}

static void logitBlocks(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const float* temperatures = static_cast<const float*>(call.inputs[1].data);
  const int64_t columns = x.dims[1];
  const int64_t blocks = divideUp(columns, kLogitBlock);
  const int64_t width = columns + 3 * blocks;
  forEachRow(call, x.dims[0] * blocks, kLogitBlock, [&](int64_t task) {
    const int64_t row = task / blocks, block = task % blocks, begin = block * kLogitBlock;
    const int64_t count = smaller(kLogitBlock, columns - begin);
    const float* from = static_cast<const float*>(x.data) + row * columns + begin;
    float* to = static_cast<float*>(call.outputs[0].data) + row * width;
    float* of = to + columns + block;
    const float greatest = copyAndFindGreatest(from, count, to + begin);
    const float t = temperatures[row];
    of[0] = greatest;
    of[blocks] = sumOfWeights(from, count, greatest, 1);
    of[2 * blocks] = t == 1 ? of[blocks] : sumOfWeights(from, count, greatest, t);
  });
}

}  // namespace heddle::HEDDLE_ISA
