#include "kernels/unfold.h"

#include "kernels/rows.h"

namespace heddle::HEDDLE_ISA {

// The segment that row r is in.
static int64_t segmentOf(const int32_t* offsets, int64_t segments, int64_t r) {
  int64_t low = 0, high = segments;  // offsets[low] ≤ r < offsets[high]
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    if (offsets[middle] <= r) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

static void unfold(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const int32_t* positions = static_cast<const int32_t*>(call.inputs[1].data);
  const int32_t* offsets = static_cast<const int32_t*>(call.inputs[2].data);
  const int64_t segments = call.inputs[2].dims[0] - 1;
  const int64_t columns = x.dims[1], size = call.ints[0], reach = size / 2;
  forEachRow(call, x.dims[0], columns * size, [&](int64_t r) {
    const int64_t segment = segmentOf(offsets, segments, r);
    float* to = static_cast<float*>(call.outputs[0].data) + r * columns * size;
    for (int64_t t = 0; t < size; t++) {
      const int64_t wanted = int64_t{positions[r]} + t - reach;
      const int64_t step = t < reach ? -1 : 1;
      int64_t n = r;
      const float* from = nullptr;
      for (int64_t i = 0; i <= reach && n >= offsets[segment] && n < offsets[segment + 1]; i++) {
        if (positions[n] == wanted) from = static_cast<const float*>(x.data) + n * columns;
        n += step;
      }
      for (int64_t c = 0; c < columns; c++) to[c * size + t] = from ? from[c] : 0.0f;
    }
  });
}

static void unfoldGradient(const Call& call, int, int, Scratch) {
  const Tensor& gradient = call.inputs[0];
  const int32_t* positions = static_cast<const int32_t*>(call.inputs[1].data);
  const int32_t* offsets = static_cast<const int32_t*>(call.inputs[2].data);
  const int64_t segments = call.inputs[2].dims[0] - 1;
  const int64_t size = call.ints[0], reach = size / 2, columns = gradient.dims[1] / size;
  forEachRow(call, gradient.dims[0], columns * size, [&](int64_t n) {
    const int64_t segment = segmentOf(offsets, segments, n);
    const int64_t begin = offsets[segment], end = offsets[segment + 1];
    float* to = static_cast<float*>(call.outputs[0].data) + n * columns;
    for (int64_t c = 0; c < columns; c++) to[c] = 0;
    for (int64_t r = n - reach < begin ? begin : n - reach; r < smaller(n + reach + 1, end); r++) {
      const int64_t t = int64_t{positions[n]} - positions[r] + reach;
      if (t < 0 || t >= size) continue;
      const float* from = static_cast<const float*>(gradient.data) + r * columns * size + t;
      for (int64_t c = 0; c < columns; c++) to[c] += from[c * size];
    }
  });
}

}  // namespace heddle::HEDDLE_ISA
