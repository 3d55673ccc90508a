// What disentangled biases add to the gradients by q and k. With slopes T by score, and A[i, b] the
// sum of T[i, j] over the keys j of bucket b, C[j, b] likewise over the queries,
//
//   ∂q += scale·A·K      ∂k += scale·C·Q      ∂K = scale·Aᵀ·q      ∂Q = scale·Cᵀ·k
//
// so that each pair adds one number, and products are over the few buckets between a few rows.
#pragma once

#include "kernels/attention_gradient_tile.h"

namespace heddle::HEDDLE_ISA {

// The buckets of a tile of queries and a block of keys, from terms.first on; none where no key is
// seen.
static int64_t relativeCount(const AttentionProblem& p, const RelativeTerms& terms,
                             const TileRow* rows, int64_t count) {
  if (terms.visibleKeys.low > terms.visibleKeys.high) return 0;
  return bucketsBetween(p, terms.visibleKeys, rowPositions(rows, count)).end - terms.first;
}

// Rows of a table of the head, from bucket `first` on, times `factor`, padded to whole vectors.
static void packTable(const AttentionProblem& p, const float* table, int64_t first, int64_t count,
                      int64_t head, float factor, float* packed) {
  const int64_t width = p.heads * p.headSize;
  for (int64_t b = first; b < first + count; b++) {
    const float* row = table + b * width + head * p.headSize;
    forEachVector(p.headSize, [&](int64_t i, int n) {
      store(packed, mul(loadUpTo(row + i, n), broadcast(factor)));
      packed += kLanes;
    });
  }
}

// Takes in what a tile and a block have in common. @returns the number of their buckets.
static int64_t readRelativeGradient(const AttentionProblem& p, const KeyBlock& block, int64_t rows,
                                    int64_t head, GradientWorkspace& w) {
  RelativeTerms& terms = w.tile.relative;
  readRelative(p, block, w.tile.rows, rows, windowsOf(w.tile.rows, rows).any, head, &terms);
  return relativeCount(p, terms, w.tile.rows, rows);
}

// sums[bucket] += slope, row by row of the tile (`byRow`) or key by key of the block.
static void addToBuckets(const AttentionProblem& p, const KeyBlock& block, const TileRow* rows,
                         int64_t count, const VisibleColumns& columns, const float* slopes,
                         int64_t firstBucket, int64_t stride, bool byRow, float* sums) {
  const int64_t end = smaller(columns.end, block.count);
  for (int64_t r = 0; r < count; r++, slopes += kKeyBlock) {
    for (int64_t j = columns.begin; j < end; j++) {
      if (!rows[r].window.sees(block.positions[j])) continue;
      const int64_t bucket = bucketAt(p, int64_t{block.positions[j]} - rows[r].position);
      sums[(byRow ? r : j) * stride + bucket - firstBucket] += slopes[j];
    }
  }
}

// target += sums · table, [rows][buckets] by [buckets][D].
static void addBuckets(const float* sums, int64_t rows, int64_t stride, int64_t buckets,
                       const float* table, float* target, int64_t columns) {
  alignas(kAlignment) float ones[kAttentionRows];
  for (float& one : ones) one = 1.0f;
  forEachShare(rows, kAttentionRows, [&](int64_t first, int64_t count) {
    const Product product{sums + first * stride,    stride,  table,   columns,
                          target + first * columns, columns, buckets, ones};
    multiplyColumns(product, static_cast<int>(count), 0, columns);
  });
}

// target += sumsᵀ · rows, [buckets][D].
static void addBucketsAcross(const float* sums, int64_t rows, int64_t stride, int64_t buckets,
                             const float* vectors, float* target, int64_t columns) {
  alignas(kAlignment) float ones[kAttentionRows];
  for (float& one : ones) one = 1.0f;
  forEachShare(buckets, kAttentionRows, [&](int64_t first, int64_t count) {
    const Product product{sums + first, stride, vectors, columns, target + first * columns,
                          columns,      rows,   ones};
    multiplyColumns<true>(product, static_cast<int>(count), 0, columns);
  });
}

}  // namespace heddle::HEDDLE_ISA
