// The scores of disentangled attention that depend on how far apart two rows are (He et al.,
// "DeBERTa: Decoding-enhanced BERT with Disentangled Attention", 2021, section 3.1):
//
//   score[i, j] += scale·(q[i]·K[b] + k[j]·Q[b]),  b = buckets[clamp(p_j − p_i + D, 0, 2·D)]
//
// The first term is content to position, the second position to content. Between a few queries and
// a few keys lie few buckets, so both are small products over just those, of which each pair then
// picks one. Every element is one chain over d, whatever the range it was computed in.
#pragma once

#include "kernels/attention_block.h"

namespace heddle::HEDDLE_ISA {

// Buckets from `begin` on, up to but without `end`.
struct BucketRange {
  int64_t begin, end;
};

// Lowest and highest of some positions; low > high: none.
struct PositionRange {
  int64_t low, high;
};

// What a tile of queries and a block of keys have in common. Floats are in the thread's workspace.
struct RelativeTerms {
  PositionRange visibleKeys;  // of the block
  int64_t first;              // bucket of column 0
  int64_t stride;             // of all four
  float* keys;                // [d][…], K of the buckets
  float* queries;             // [d][…], Q of the buckets
  float* keyTerms;            // [kKeyBlock][…], k·Q
  float* rowTerms;            // [kAttentionRows][…], q·K
};

// The widest stride: whole vectors, and then some, so that columns do not all fall on the same
// lines of a cache.
static inline int64_t relativeStride(int64_t buckets) { return paddedToLanes(buckets) + 16; }

static inline int64_t bucketAt(const AttentionProblem& p, int64_t distance) {
  const int64_t at = distance + p.bucketReach;
  return p.buckets[at < 0 ? 0 : smaller(at, 2 * p.bucketReach)];
}

// The buckets of all distances between these keys and queries.
static BucketRange bucketsBetween(const AttentionProblem& p, PositionRange keys,
                                  PositionRange queries) {
  const auto bounded = [&](int64_t distance) {
    return distance < -p.bucketReach ? -p.bucketReach : smaller(distance, p.bucketReach);
  };
  const int64_t last = bounded(keys.high - queries.low);
  int64_t distance = bounded(keys.low - queries.high);
  BucketRange range{bucketAt(p, distance), bucketAt(p, distance) + 1};
  while (++distance <= last) {
    const int64_t bucket = bucketAt(p, distance);
    range.begin = smaller(bucket, range.begin);
    range.end = bucket + 1 > range.end ? bucket + 1 : range.end;
  }
  return range;
}

static PositionRange visiblePositions(const KeyBlock& block, const Window& window, int64_t begin,
                                      int64_t end) {
  PositionRange range{kHighestPosition, kLowestPosition};
  for (int64_t j = begin; j < end; j++) {
    const int64_t position = block.positions[j];
    if (!window.sees(block.positions[j])) continue;
    range.low = smaller(position, range.low);
    range.high = position > range.high ? position : range.high;
  }
  return range;
}

static PositionRange rowPositions(const TileRow* rows, int64_t count) {
  PositionRange range{rows[0].position, rows[0].position};
  for (int64_t r = 1; r < count; r++) {
    const int64_t position = rows[r].position;
    range.low = smaller(position, range.low);
    range.high = position > range.high ? position : range.high;
  }
  return range;
}

// Columns `range` of a product with `buckets`, which are packed from `terms.first` on.
static void multiplyBuckets(const RelativeTerms& terms, BucketRange range, const float* rows,
                            int64_t rowStride, int64_t count, const float* buckets, float* target,
                            int64_t depth) {
  const Product product{rows,   rowStride,    buckets, terms.stride,
                        target, terms.stride, depth,   nullptr};
  multiplyColumns(product, static_cast<int>(count), (range.begin - terms.first) / kLanes * kLanes,
                  paddedToLanes(range.end - terms.first));
}

// Takes in a block of keys, some of which some of the tile's rows see.
static void readRelative(const AttentionProblem& p, const KeyBlock& block, const TileRow* rows,
                         int64_t count, const Window& any, int64_t head, RelativeTerms* terms) {
  const PositionRange queries = rowPositions(rows, count);
  terms->visibleKeys = visiblePositions(block, any, 0, block.count);
  if (terms->visibleKeys.low > terms->visibleKeys.high) return;
  const BucketRange range = bucketsBetween(p, terms->visibleKeys, queries);
  terms->first = range.begin;
  terms->stride = relativeStride(range.end - range.begin);
  const int64_t width = p.heads * p.headSize;
  const auto pack = [&](const float* table, float* target) {
    if (!table) return;
    transposeTo(table + range.begin * width + head * p.headSize, width, target, terms->stride,
                static_cast<int>(range.end - range.begin), static_cast<int>(p.headSize));
  };
  pack(p.relativeKeys, terms->keys);
  pack(p.relativeQueries, terms->queries);
  if (!p.relativeQueries) return;
  const float* keys = p.keys + block.firstRow * width + head * p.headSize;
  for (int64_t j = 0; j < block.count; j += kAttentionRows) {
    const int64_t end = smaller(j + kAttentionRows, block.count);
    const PositionRange some = visiblePositions(block, any, j, end);
    if (some.low > some.high) continue;
    multiplyBuckets(*terms, bucketsBetween(p, some, queries), keys + j * width, width, end - j,
                    terms->queries, terms->keyTerms + j * terms->stride, p.headSize);
  }
}

// Adds the terms to the scores of up to kAttentionRows rows. queries: [count][D], scaled.
static void addRelative(const AttentionProblem& p, const KeyBlock& block, const TileRow* rows,
                        int64_t count, const VisibleColumns& columns, const float* queries,
                        const RelativeTerms& terms, float* scores) {
  if (terms.visibleKeys.low > terms.visibleKeys.high) return;
  const BucketRange range = bucketsBetween(p, terms.visibleKeys, rowPositions(rows, count));
  if (p.relativeKeys) {
    multiplyBuckets(terms, range, queries, paddedToLanes(p.headSize), count, terms.keys,
                    terms.rowTerms, p.headSize);
  }
  const int64_t end = smaller(columns.end, block.count);
  for (int64_t r = 0; r < count; r++, scores += kKeyBlock) {
    for (int64_t j = columns.begin; j < end; j++) {
      if (!rows[r].window.sees(block.positions[j])) continue;  // its bucket may be none of these
      const int64_t column =
          bucketAt(p, int64_t{block.positions[j]} - rows[r].position) - terms.first;
      if (p.relativeKeys) scores[j] += terms.rowTerms[r * terms.stride + column];
      if (p.relativeQueries) scores[j] += p.scale * terms.keyTerms[j * terms.stride + column];
    }
  }
}

}  // namespace heddle::HEDDLE_ISA
