#include "kernels/ceiling.h"

#include "kernels/rows.h"

namespace heddle::HEDDLE_ISA {

constexpr int kChains = kTileRows * kTileVectors;

template <int kCount>
static inline void stepChains(const float* x, float* y, int64_t steps) {
  const F32 factor = broadcast(0.5f), addend = broadcast(0.25f);
  F32 chains[kCount];
#pragma GCC unroll 32
  for (int c = 0; c < kCount; c++) chains[c] = load(x + c * kLanes);
  for (int64_t step = 0; step < steps; step++) {
#pragma GCC unroll 32
    for (int c = 0; c < kCount; c++) chains[c] = fma(chains[c], factor, addend);
  }
#pragma GCC unroll 32
  for (int c = 0; c < kCount; c++) store(y + c * kLanes, chains[c]);
}

static void multiplyAdd(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const float* from = static_cast<const float*>(x.data);
  float* to = static_cast<float*>(call.outputs[0].data);
  const int64_t steps = call.ints[0];
  int64_t count = 1;
  for (int32_t i = 0; i < x.rank; i++) count *= x.dims[i];
  constexpr int64_t kBlock = kChains * kLanes;
  while (!isCancelled(call)) {
    const int64_t begin = claim(call.work) * kBlock;
    if (begin >= count) return;
    if (begin + kBlock <= count) {
      stepChains<kChains>(from + begin, to + begin, steps);
      continue;
    }
    alignas(kAlignment) float rest[kBlock] = {};
    const size_t bytes = sizeof(float) * static_cast<size_t>(count - begin);
    __builtin_memcpy(rest, from + begin, bytes);
    stepChains<kChains>(rest, rest, steps);
    __builtin_memcpy(to + begin, rest, bytes);
  }
}

static void sumRows(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const float* from = static_cast<const float*>(x.data);
  float* to = static_cast<float*>(call.outputs[0].data);
  const int64_t columns = x.dims[1];
  forEachRow(call, x.dims[0], columns, [&](int64_t r) {
    const float* row = from + r * columns;
    to[r] = sumOver(columns, [&](int64_t i, int n) { return loadUpTo(row + i, n); });
  });
}

}  // namespace heddle::HEDDLE_ISA
