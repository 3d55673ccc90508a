#include "kernels/attention_bias_gradient.h"

#include "kernels/attention_relative_gradient.h"
#include "kernels/span.h"

namespace heddle::HEDDLE_ISA {

// By the bias, or by relativeKeys; by relativeQueries, which may be absent.
enum { kByBias = 0, kByRelativeQueries };

struct BiasGradientWorkspace {
  GradientWorkspace pair;
  float* tileBuckets;  // [T][stride], of all buckets
  float* keySums;      // [buckets][D], ∂K
  float* querySums;    // [buckets][D], ∂Q
};

static size_t layOutBias(const AttentionProblem& p, void* base, BiasGradientWorkspace* w) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(base);
  uintptr_t at = begin + layOutGradient(p, base, &w->pair);
  const auto floats = [&](int64_t count) {
    float* place = reinterpret_cast<float*>(at);
    at += static_cast<uintptr_t>(divideUp(count * 4, 64) * 64);
    return place;
  };
  if (p.biasKind == BiasKind::kDisentangled) {
    const int64_t d = paddedToLanes(p.headSize);
    w->tileBuckets = floats(queriesPerTile(p) * relativeStride(p.bucketCount));
    w->keySums = floats(p.bucketCount * d);
    w->querySums = floats(p.bucketCount * d);
  }
  return at - begin;
}

static size_t attentionBiasGradientScratch(const Call& call) {
  BiasGradientWorkspace unused;
  return layOutBias(readAttention(call, true), nullptr, &unused);
}

// Calls group(first, at, count, columns) for groups of rows of a tile that see some of the block,
// once their slopes stand from row `at` on.
template <typename Group>
static inline void forEachGroup(const AttentionProblem& p, const KeyBlock& block, int64_t rows,
                                GradientWorkspace& w, const Group& group) {
  forEachShare(rows, kAttentionRows, [&](int64_t first, int64_t count) {
    const VisibleColumns columns = visibleColumns(block, windowsOf(w.tile.rows + first, count));
    if (columns.end == 0) return;
    weighPairs(p, block, first, 0, count, columns, w);
    group(first, count, columns);
  });
}

static void addToBias(const AttentionProblem& p, const KeyBlock& block, const TileRow* rows,
                      int64_t count, const VisibleColumns& columns, const float* slopes,
                      float* target) {
  const int64_t end = smaller(columns.end, block.count);
  for (int64_t r = 0; r < count; r++, slopes += kKeyBlock) {
    const BiasRow place = biasRow(p, rows[r]);
    for (int64_t j = columns.begin; j < end; j++) {
      target[place.at(block.positions[j])] += slopes[j];
    }
  }
}

// Adds a tile of queries and all keys of its segment.
static void addTile(const Call& call, const AttentionProblem& p, const QueryTile& tile,
                    BiasGradientWorkspace& w) {
  const int64_t keys = p.keySegments[tile.segment + 1] - p.keySegments[tile.segment];
  const int64_t d = paddedToLanes(p.headSize);
  const bool isRelative = p.biasKind == BiasKind::kDisentangled;
  const int64_t stride = isRelative ? relativeStride(p.bucketCount) : 0;
  readTile(call, p, tile, w.pair);
  const Windows everyRow = windowsOf(w.pair.tile.rows, tile.rows);
  if (isRelative) clear(w.tileBuckets, tile.rows * stride);
  for (int64_t first = 0; first < keys && !isCancelled(call); first += kKeyBlock) {
    KeyBlock block;
    readKeyBlock(p, tile.segment, first, &block);
    if (visibleColumns(block, everyRow).end == 0) continue;
    packBlock(call, p, block, tile.keyHead, w.pair);
    if (!isRelative) {
      forEachGroup(p, block, tile.rows, w.pair, [&](int64_t at, int64_t few, const auto& columns) {
        addToBias(p, block, w.pair.tile.rows + at, few, columns, w.pair.slopes,
                  static_cast<float*>(call.outputs[kByBias].data));
      });
      continue;
    }
    const int64_t buckets = readRelativeGradient(p, block, tile.rows, tile.keyHead, w.pair);
    if (buckets == 0) continue;
    const RelativeTerms& terms = w.pair.tile.relative;
    clear(w.pair.keyBuckets, block.count * terms.stride);
    forEachGroup(p, block, tile.rows, w.pair, [&](int64_t at, int64_t few, const auto& columns) {
      const TileRow* rows = w.pair.tile.rows + at;
      if (p.relativeKeys) {
        addToBuckets(p, block, rows, few, columns, w.pair.slopes, 0, stride, true,
                     w.tileBuckets + at * stride);
      }
      if (p.relativeQueries) {
        addToBuckets(p, block, rows, few, columns, w.pair.slopes, terms.first, terms.stride, false,
                     w.pair.keyBuckets);
      }
    });
    if (!p.relativeQueries) continue;
    addBucketsAcross(w.pair.keyBuckets, block.count, terms.stride, buckets, w.pair.keyRows,
                     w.querySums + terms.first * d, d);
  }
  if (!isRelative || !p.relativeKeys) return;
  addBucketsAcross(w.tileBuckets, tile.rows, stride, p.bucketCount, w.pair.tile.queries, w.keySums,
                   d);
}

static void addHead(const Call& call, const AttentionProblem& p, int64_t keyHead,
                    BiasGradientWorkspace& w) {
  for (int64_t s = 0; s < p.segments && !isCancelled(call); s++) {
    const int64_t rows = p.querySegments[s + 1] - p.querySegments[s];
    for (int64_t t = 0; t < divideUp(rows, queriesPerTile(p)); t++) {
      addTile(call, p, gradientTile(p, s, keyHead, t), w);
    }
  }
}

static void addRelativeHead(const Call& call, const AttentionProblem& p, int64_t head,
                            BiasGradientWorkspace& w) {
  const int64_t d = paddedToLanes(p.headSize);
  clear(w.keySums, p.bucketCount * d);
  clear(w.querySums, p.bucketCount * d);
  addHead(call, p, head, w);
  // Queries are scaled in a tile already.
  const auto write = [&](int output, const float* sums, float factor) {
    if (!call.outputs[output].data) return;
    unpackRows(sums, p.bucketCount, factor, headRows(call.outputs[output], 0, head, p.headSize));
  };
  if (p.relativeKeys) write(kByBias, w.keySums, 1.0f);
  if (p.relativeQueries) write(p.relativeKeys ? kByRelativeQueries : kByBias, w.querySums, p.scale);
}

static void attentionBiasGradient(const Call& call, int, int, Scratch scratch) {
  const AttentionProblem p = readAttention(call, true);
  BiasGradientWorkspace w;
  layOutBias(p, scratch.data, &w);
  float* target = static_cast<float*>(call.outputs[kByBias].data);
  const bool isShared = p.biasKind == BiasKind::kDense && p.bias.dims[0] == 1;
  const int64_t items = isShared ? 1 : p.keyHeads;
  for (int64_t item; !isCancelled(call) && (item = claim(call.work)) < items;) {
    if (p.biasKind == BiasKind::kDisentangled) {
      addRelativeHead(call, p, item, w);
      continue;
    }
    const int64_t each = countElements(call.outputs[kByBias]) / items;
    clear(target + item * each, each);
    for (int64_t h = item; h < (isShared ? p.keyHeads : item + 1); h++) addHead(call, p, h, w);
  }
}

}  // namespace heddle::HEDDLE_ISA
