#include "kernels/argmax.h"

#include "kernels/rows.h"

namespace heddle::HEDDLE_ISA {

// Elements that are searched one by one, once it is known that the greatest is among them.
constexpr int64_t kSearched = 32 * kLanes;

// The greatest of whole vectors of finite numbers; NaN where an element is infinite or NaN.
static inline float greatestOf(const float* x) {
  F32 best[2] = {load(x), load(x + kLanes)}, products[2] = {zero(), zero()};
  for (int64_t i = 0; i < kSearched; i += 2 * kLanes) {
    for (int v = 0; v < 2; v++) {
      const F32 value = load(x + i + v * kLanes);
      best[v] = max(value, best[v]);
      products[v] = fma(value, zero(), products[v]);
    }
  }
  return maximum(max(best[0], best[1])) + sum(add(products[0], products[1]));
}

static void argmaxRow(const float* x, int64_t columns, float* y) {
  if (columns == 0) {
    y[0] = 0;
    y[1] = __builtin_nanf("");
    return;
  }
  int64_t place = 0;
  const auto search = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end && x[place] == x[place]; i++) {
      if (!(x[i] <= x[place])) place = i;
    }
  };
  int64_t i = 0;
  for (; i + kSearched <= columns; i += kSearched) {
    if (!(greatestOf(x + i) <= x[place])) search(i, i + kSearched);
  }
  search(i, columns);
  y[0] = static_cast<float>(place);
  y[1] = x[place];
}

static void argmax(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const float* from = static_cast<const float*>(x.data);
  float* to = static_cast<float*>(call.outputs[0].data);
  const int64_t columns = x.dims[1];
  forEachRow(call, x.dims[0], columns,
             [&](int64_t r) { argmaxRow(from + r * columns, columns, to + 2 * r); });
}

}  // namespace heddle::HEDDLE_ISA
