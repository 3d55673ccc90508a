// Work of elementwise kernels: spans of elements, claimed by the team.
#pragma once

#include "kernels/kernel.h"
#include "simd/simd.h"

namespace heddle::HEDDLE_ISA {

// 16 KiB a span: long beside the cost of a claim, short beside the share of a thread.
constexpr int64_t kElementSpan = 4096;

static inline int64_t countElements(const Tensor& tensor) {
  int64_t count = 1;
  for (int i = 0; i < tensor.rank; i++) count *= tensor.dims[i];
  return count;
}

// Calls body(begin, end) for spans that together cover [0, count).
template <class Body>
HEDDLE_INLINE void forEachSpan(const Call& call, int64_t count, const Body& body) {
  for (int64_t begin; (begin = claim(call.work) * kElementSpan) < count;) {
    if (isCancelled(call)) return;
    body(begin, begin + kElementSpan < count ? begin + kElementSpan : count);
  }
}

}  // namespace heddle::HEDDLE_ISA
