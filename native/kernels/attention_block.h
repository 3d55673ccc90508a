// A block of up to 64 keys: where they are and which rows see them.
#pragma once

#include "kernels/attention_problem.h"
#include "kernels/attention_tile.h"
#include "kernels/rows.h"
#include "simd/math.h"

namespace heddle::HEDDLE_ISA {

constexpr int64_t kKeyBlock = 64;
constexpr int64_t kSpan = 16;  // keys that are skipped together
static_assert(kSpan % kLanes == 0 && kKeyBlock % kSpan == 0, "a span is whole vectors");

static inline int64_t paddedToLanes(int64_t n) { return divideUp(n, kLanes) * kLanes; }

// One row of a query tile.
struct TileRow {
  Window window;
  int32_t position;
  int32_t head;
  uint32_t row;  // of the whole batch
};

struct KeyBlock {
  int64_t firstRow;  // in k and v
  int64_t first;     // in its segment
  int64_t count;
  int32_t positions[kKeyBlock];
  int32_t lowest[kKeyBlock / kSpan], highest[kKeyBlock / kSpan];  // of each span
  bool consecutive;                                               // positions grow by one
  bool finiteValues;                                              // set by packValues
};

static inline int64_t spansOf(const KeyBlock& block) { return divideUp(block.count, kSpan); }

// The keys of the segment from `first` on.
static void readKeyBlock(const AttentionProblem& p, int64_t segment, int64_t first,
                         KeyBlock* block) {
  const int64_t begin = p.keySegments[segment];
  block->firstRow = begin + first;
  block->first = first;
  block->count = smaller(p.keySegments[segment + 1] - block->firstRow, kKeyBlock);
  block->consecutive = true;
  for (int64_t j = 0; j < block->count; j++) {
    block->positions[j] =
        p.keyPositions ? p.keyPositions[block->firstRow + j] : static_cast<int32_t>(first + j);
    block->consecutive &= block->positions[j] - int64_t{block->positions[0]} == j;
  }
  for (int64_t j = block->count; j < kKeyBlock; j++) block->positions[j] = 0;
  for (int64_t s = 0; s < spansOf(*block); s++) {
    int32_t lowest = kHighestPosition, highest = kLowestPosition;
    for (int64_t j = s * kSpan; j < smaller((s + 1) * kSpan, block->count); j++) {
      const int32_t position = block->positions[j];
      lowest = position < lowest ? position : lowest;
      highest = position > highest ? position : highest;
    }
    block->lowest[s] = lowest;
    block->highest[s] = highest;
  }
}

// The columns of a block that some of a group of rows see.
struct VisibleColumns {
  int64_t begin, end;  // whole vectors; the last may pass the block's last key
  bool partly;         // some of these rows do not see some of these keys
};

// What at least one row of a group may see, and what every row sees.
struct Windows {
  Window any, all;
};

static inline Windows windowsOf(const TileRow* rows, int64_t count) {
  Window any = rows[0].window, all = any;
  for (int64_t r = 1; r < count; r++) {
    const Window window = rows[r].window;
    any.low = window.low < any.low ? window.low : any.low;
    any.high = window.high > any.high ? window.high : any.high;
    all.low = window.low > all.low ? window.low : all.low;
    all.high = window.high < all.high ? window.high : all.high;
  }
  return {any, all};
}

static VisibleColumns visibleColumns(const KeyBlock& block, const Windows& windows) {
  const Window any = windows.any, all = windows.all;
  VisibleColumns columns{0, 0, false};
  for (int64_t s = 0; s < spansOf(block); s++) {
    if (block.highest[s] < any.low || block.lowest[s] > any.high) continue;
    if (columns.end == 0) columns.begin = s * kSpan;
    columns.partly |= columns.end != 0 && columns.end != s * kSpan;
    columns.partly |= block.lowest[s] < all.low || block.highest[s] > all.high;
    columns.end = (s + 1) * kSpan;
  }
  columns.end = smaller(columns.end, paddedToLanes(block.count));
  return columns;
}

// Kᵀ, [d][kKeyBlock]. Columns past the last key keep what they had: their scores are thrown away.
static void packKeys(const AttentionProblem& p, const KeyBlock& block, int64_t keyHead,
                     float* packed) {
  const int64_t stride = p.keyHeads * p.headSize;
  transposeTo(p.keys + block.firstRow * stride + keyHead * p.headSize, stride, packed, kKeyBlock,
              static_cast<int>(block.count), static_cast<int>(p.headSize));
}

// V, [count][e padded to lanes with zeros].
static void packValues(const AttentionProblem& p, KeyBlock* block, int64_t keyHead, float* packed) {
  const int64_t stride = p.keyHeads * p.valueSize;
  const float* values = p.values + block->firstRow * stride + keyHead * p.valueSize;
  F32 products = zero();
  for (int64_t j = 0; j < block->count; j++, values += stride) {
    F32 row = zero();  // 0·x is 0, or NaN where x is infinite or NaN
    forEachVector(p.valueSize, [&](int64_t c, int n) {
      const F32 x = loadUpTo(values + c, n);
      row = fma(x, zero(), row);
      store(packed, x);
      packed += kLanes;
    });
    products = add(products, row);
  }
  block->finiteValues = sum(products) == 0.0f;
}

static inline void prefetchRows(const float* rows, int64_t stride, int64_t count, int64_t floats) {
  constexpr int64_t kLineFloats = 16;
  for (int64_t i = 0; i < count; i++) {
    for (int64_t j = 0; j < floats; j += kLineFloats) prefetch(rows + i * stride + j);
  }
}

// Rows lie far apart, which no hardware prefetcher follows. While one block is computed, asks for
// the keys and values of the next, at row `first` of the segment.
static void prefetchBlock(const AttentionProblem& p, int64_t segment, int64_t first,
                          int64_t keyHead) {
  const int64_t row = p.keySegments[segment] + first;
  const int64_t count = smaller(p.keySegments[segment + 1] - row, kKeyBlock);
  const int64_t keyStride = p.keyHeads * p.headSize, valueStride = p.keyHeads * p.valueSize;
  prefetchRows(p.keys + row * keyStride + keyHead * p.headSize, keyStride, count, p.headSize);
  prefetchRows(p.values + row * valueStride + keyHead * p.valueSize, valueStride, count,
               p.valueSize);
}

}  // namespace heddle::HEDDLE_ISA
