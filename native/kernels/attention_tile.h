// The register tile of attention: both products, scores = Q·Kᵀ and output += P·V, are
//
//   c[rows][columns] = c·rescale[row] + a[rows][depth]·b[depth][columns]
//
// and so are those of its gradient, two of which have the left side across, a[depth][rows]: with
// every sum in a register, one chain of fused multiply-adds over the depth per element. How
// rows and columns are cut into tiles therefore never changes a result.
#pragma once

#include "kernels/tile.h"

namespace heddle::HEDDLE_ISA {

struct Product {
  const float* a;
  int64_t aStride;
  const float* b;
  int64_t bStride;
  float* c;
  int64_t cStride;
  int64_t depth;
  const float* rescale;  // one factor per row; null: c is written, not read
};

// The short loops must be unrolled early, or GCC keeps the sums in memory around the long one.
template <int kRows, int kVectors, bool kAcross>
static void attentionTile(const Product& product, int64_t column) {
  const float* a = product.a;
  const float* b = product.b + column;
  float* c = product.c + column;
  const int64_t aStride = product.aStride, bStride = product.bStride, cStride = product.cStride;
  const int64_t depth = product.depth;
  F32 sums[kRows][kVectors];
  if (product.rescale) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; v++) {
        sums[r][v] = mul(broadcast(product.rescale[r]), load(c + r * cStride + v * kLanes));
      }
    }
  } else {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; v++) sums[r][v] = zero();
    }
  }
  // A tenth of the instructions otherwise is counting, which tells where another thread has half of
  // the core.
#pragma GCC unroll 4
  for (int64_t i = 0; i < depth; i++) {
    F32 right[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; v++) right[v] = load(b + i * bStride + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; r++) {
      const F32 left = broadcast(kAcross ? a[i * aStride + r] : a[r * aStride + i]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; v++) sums[r][v] = fma(left, right[v], sums[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; v++) store(c + r * cStride + v * kLanes, sums[r][v]);
  }
}

template <int kRows, int kVectors, bool kAcross>
static inline void restOfColumns(const Product& product, int64_t column, int64_t vectors) {
  if (vectors == kVectors) {
    attentionTile<kRows, kVectors, kAcross>(product, column);
  } else if constexpr (kVectors > 1) {
    restOfColumns<kRows, kVectors - 1, kAcross>(product, column, vectors);
  }
}

// 1 ≤ rows ≤ kAttentionRows; the columns from `begin` to `end`, a whole number of vectors.
template <bool kAcross = false, int kRows = kAttentionRows>
static inline void multiplyColumns(const Product& product, int rows, int64_t begin, int64_t end) {
  constexpr int64_t kWidth = kAttentionVectors * kLanes;
  if (rows == kRows) {
    int64_t column = begin;
    for (; column + kWidth <= end; column += kWidth) {
      attentionTile<kRows, kAttentionVectors, kAcross>(product, column);
    }
    if (column < end) {
      restOfColumns<kRows, kAttentionVectors, kAcross>(product, column, (end - column) / kLanes);
    }
  } else if constexpr (kRows > 1) {
    multiplyColumns<kAcross, kRows - 1>(product, rows, begin, end);
  }
}

}  // namespace heddle::HEDDLE_ISA
