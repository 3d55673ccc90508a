#include "kernels/state.h"

#include "kernels/span.h"
#include "kernels/tile.h"

namespace heddle::HEDDLE_ISA {

// A cancelled run leaves its States as they were, so a copy once begun is not given up half-way.
static void copyFloats(const Call& call, const float* from, float* to, int64_t count) {
  constexpr int64_t kChunk = 16384;
  for (int64_t at; (at = claim(call.work) * kChunk) < count;) {
    const int64_t bytes = smaller(kChunk, count - at) * static_cast<int64_t>(sizeof(float));
    __builtin_memcpy(to + at, from + at, static_cast<size_t>(bytes));
  }
}

static void assign(const Call& call, int, int, Scratch) {
  const float* guard = static_cast<const float*>(call.inputs[1].data);
  if (guard && !__builtin_isfinite(*guard)) return;
  copyFloats(call, static_cast<const float*>(call.inputs[0].data),
             static_cast<float*>(call.outputs[0].data), countElements(call.inputs[0]));
}

static void append(const Call& call, int, int, Scratch) {
  const Tensor& source = call.inputs[0];
  const int64_t at = *static_cast<const int32_t*>(call.inputs[1].data);
  copyFloats(call, static_cast<const float*>(source.data),
             static_cast<float*>(call.outputs[0].data) + at * source.dims[1],
             countElements(source));
}

}  // namespace heddle::HEDDLE_ISA
