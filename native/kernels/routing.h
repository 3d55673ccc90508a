// The order of a mixture of experts, as mixture.h describes it.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

struct Routing {
  float* assignments;
  float* experts;
  float* weights;
  float* places;
  int64_t count;  // R·k
};

static Routing routingOf(const Tensor& tensor) {
  float* data = static_cast<float*>(tensor.data);
  const int64_t count = tensor.dims[0] * tensor.dims[1] / 4;
  return {data, data + count, data + 2 * count, data + 3 * count, count};
}

// x as a whole number from 0 to bound − 1; 0 where it is none.
static inline int64_t indexOf(float x, int64_t bound) {
  return x >= 0 && x < static_cast<float>(bound) ? static_cast<int64_t>(x) : 0;
}

// starts[e]: the first place of expert e; starts[experts]: their number.
static void startsOf(const Routing& routing, int64_t experts, int64_t* starts) {
  for (int64_t e = 0; e <= experts; e++) starts[e] = 0;
  for (int64_t i = 0; i < routing.count; i++) starts[indexOf(routing.experts[i], experts) + 1]++;
  for (int64_t e = 0; e < experts; e++) starts[e + 1] += starts[e];
}

}  // namespace heddle::HEDDLE_ISA
