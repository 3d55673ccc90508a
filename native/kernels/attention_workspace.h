// What a thread keeps while it works on one query tile.
#pragma once

#include "kernels/attention_scores.h"

namespace heddle::HEDDLE_ISA {

// The memory of one thread. Floats unless said otherwise; T rows in a tile, D and E are d and e
// padded to lanes.
struct AttentionWorkspace {
  float* queries;  // [T][D], scaled
  float* keys;     // [d][kKeyBlock]
  float* values;   // [kKeyBlock][E]
  float* scores;   // [kAttentionRows][kKeyBlock], then the weights before they are normalised
  float* outputs;  // [T][E], before they are divided by the sums
  float* sums;     // [T][kLanes], partial sums of the weights
  float* maxima;   // [T], of the scores
  TileRow* rows;   // [T]
  RelativeTerms relative;
};

// Places the parts from `base` on and returns their size in bytes.
static size_t layOut(const AttentionProblem& p, void* base, AttentionWorkspace* w) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(base);  // 0 where only the size is wanted
  uintptr_t at = begin;
  const auto take = [&](int64_t bytes) {
    const uintptr_t place = at;
    at += static_cast<uintptr_t>(divideUp(bytes, 64) * 64);
    return place;
  };
  const auto floats = [&](int64_t count) { return reinterpret_cast<float*>(take(count * 4)); };
  const int64_t rows = queriesPerTile(p) * p.group;
  const int64_t outputs = paddedToLanes(p.valueSize);
  w->queries = floats(rows * paddedToLanes(p.headSize));
  w->keys = floats(p.headSize * kKeyBlock);
  w->values = floats(kKeyBlock * outputs);
  w->scores = floats(kAttentionRows * kKeyBlock);
  w->outputs = floats(rows * outputs);
  w->sums = floats(rows * kLanes);
  w->maxima = floats(rows);
  w->rows = reinterpret_cast<TileRow*>(take(rows * int64_t{sizeof(TileRow)}));
  const bool isRelative = p.biasKind == BiasKind::kDisentangled;
  const int64_t stride = isRelative ? relativeStride(p.bucketCount) : 0;
  w->relative.keys = floats(p.headSize * stride);
  w->relative.queries = floats(p.headSize * stride);
  w->relative.keyTerms = floats(kKeyBlock * stride);
  w->relative.rowTerms = floats(kAttentionRows * stride);
  return at - begin;
}

// Copies the tile's queries, scaled, and writes down what each row sees.
static void readQueries(const AttentionProblem& p, const QueryTile& tile, int64_t keyHead,
                        AttentionWorkspace& w) {
  const F32 scale = broadcast(p.softCap > 0 ? p.scale / p.softCap : p.scale);
  const int64_t firstRow = p.querySegments[tile.segment] + tile.firstInSegment;
  const int64_t firstHead = keyHead * p.group;
  float* target = w.queries;
  TileRow* row = w.rows;
  for (int64_t query = 0; query < tile.queries; query++) {
    const int32_t position = queryPosition(p, tile, query);
    const Window window = windowOf(p, position);
    for (int64_t head = firstHead; head < firstHead + p.group; head++) {
      const float* source = p.queries + ((firstRow + query) * p.heads + head) * p.headSize;
      forEachVector(p.headSize, [&](int64_t i, int n) {
        store(target, mul(loadUpTo(source + i, n), scale));
        target += kLanes;
      });
      *row++ = {window, position, static_cast<int32_t>(head),
                static_cast<uint32_t>(firstRow + query)};
    }
  }
}

}  // namespace heddle::HEDDLE_ISA
