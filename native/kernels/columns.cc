#include "kernels/columns.h"

#include "kernels/rows.h"

namespace heddle::HEDDLE_ISA {

static void columns(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const int64_t first = call.ints[0], step = call.ints[1], size = call.ints[2];
  const int64_t count = call.ints[3], width = x.dims[1];
  forEachRow(call, x.dims[0], size * count, [&](int64_t r) {
    const float* from = static_cast<const float*>(x.data) + r * width + first;
    float* to = static_cast<float*>(call.outputs[0].data) + r * size * count;
    for (int64_t b = 0; b < count; b++, from += step, to += size) {
      forEachVector(size, [&](int64_t i, int n) { storeUpTo(to + i, loadUpTo(from + i, n), n); });
    }
  });
}

static void columnsGradient(const Call& call, int, int, Scratch) {
  const Tensor& y = call.outputs[0];
  const int64_t first = call.ints[0], step = call.ints[1], size = call.ints[2];
  const int64_t count = call.ints[3], width = y.dims[1];
  const float* residual = static_cast<const float*>(call.inputs[0].data);
  forEachRow(call, y.dims[0], width, [&](int64_t r) {
    const float* from = static_cast<const float*>(call.inputs[1].data) + r * size * count;
    float* to = static_cast<float*>(y.data) + r * width;
    const size_t bytes = sizeof(float) * static_cast<size_t>(width);
    if (!residual) {
      __builtin_memset(to, 0, bytes);
    } else if (residual != y.data) {
      __builtin_memcpy(to, residual + r * width, bytes);
    }
    to += first;
    for (int64_t b = 0; b < count; b++, from += size, to += step) {
      forEachVector(size, [&](int64_t i, int n) {
        storeUpTo(to + i, add(loadUpTo(to + i, n), loadUpTo(from + i, n)), n);
      });
    }
  });
}

}  // namespace heddle::HEDDLE_ISA
