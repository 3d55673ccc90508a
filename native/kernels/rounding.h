// Rows and panels rounded to bfloat16, for products that take their operands so.
#pragma once

#include "kernels/tile.h"

namespace heddle::HEDDLE_ISA {

static void roundRows(const float* x, int64_t stride, int64_t rows, int64_t depth, float* target,
                      int64_t targetStride) {
  for (int64_t i = 0; i < rows; i++) {
    const float* from = x + i * stride;
    float* to = target + i * targetStride;
    int64_t k = 0;
    for (; k + kLanes <= depth; k += kLanes) store(to + k, roundToBf16(load(from + k)));
    const int rest = static_cast<int>(depth - k);
    if (rest > 0) storeFirst(to + k, roundToBf16(loadFirst(from + k, rest)), rest);
  }
}

#ifdef HEDDLE_BF16_DOT
// As roundRows, stored as bfloat16; an odd depth is filled up with a zero, to whole pairs.
static void narrowRows(const float* x, int64_t stride, int64_t rows, int64_t depth,
                       uint16_t* target, int64_t targetStride) {
  for (int64_t i = 0; i < rows; i++) {
    const float* from = x + i * stride;
    uint16_t* to = target + i * targetStride;
    int64_t k = 0;
    for (; k + kLanes <= depth; k += kLanes) storeBf16(to + k, roundToBf16(load(from + k)));
    const int rest = static_cast<int>(depth - k);
    if (rest > 0) storeFirstBf16(to + k, roundToBf16(loadFirst(from + k, rest)), rest + (rest & 1));
  }
}

// A panel [depth][kPanel] as Bf16PairFormat reads it; an odd depth is filled up with zeros.
static void narrowPanel(const float* panel, int64_t depth, uint16_t* target) {
  for (int64_t k = 0; k < depth; k += 2) {
    for (int v = 0; v < kTileVectors; v++) {
      const float* even = panel + k * kPanel + v * kLanes;
      const F32 odd = k + 1 < depth ? roundToBf16(load(even + kPanel)) : zero();
      storePairs(target + (k * kTileVectors + v * 2) * kLanes, {roundToBf16(load(even)), odd});
    }
  }
}
#endif

}  // namespace heddle::HEDDLE_ISA
