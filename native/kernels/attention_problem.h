// What an attention call asks for, and how it falls into query tiles.
//
// A tile is a run of queries of one segment with all query heads that share one key head, so that
// grouped heads read each key block once. A tile's row is one (query, head) pair: row r is query
// r / group, head r % group of the group.
#pragma once

#include "kernels/kernel.h"
#include "kernels/philox.h"
#include "kernels/tile.h"

namespace heddle::HEDDLE_ISA {

// Rows of a tile: a key block is packed once for all of them. Long tiles, which stay in the
// second-level cache still, are for work that leaves enough of them for every thread.
constexpr int64_t kQueryTile = 192;
constexpr int64_t kLongQueryTile = 512;
constexpr int32_t kLowestPosition = INT32_MIN;
constexpr int32_t kHighestPosition = INT32_MAX;

enum class BiasKind : int64_t { kNone = 0, kRelative = 1, kDense = 2, kDisentangled = 3 };

struct AttentionProblem {
  const float* queries;
  const float* keys;
  const float* values;  // null for attentionWeights
  const int32_t* querySegments;
  const int32_t* keySegments;
  const int32_t* queryPositions;  // null: row numbers within the segment
  const int32_t* keyPositions;
  Tensor bias;
  const float* relativeKeys;     // disentangled only: [bucketCount][H·d]; null: no such term
  const float* relativeQueries;  // likewise
  const int32_t* buckets;        // [2·bucketReach + 1], by key minus query
  int64_t bucketReach, bucketCount;
  int64_t segments;
  int64_t heads, keyHeads, group;  // group = heads / keyHeads
  int64_t headSize, valueSize;     // d, e
  int64_t left, right;             // negative: no limit
  BiasKind biasKind;
  float scale, softCap;
  int64_t tileRows;
  bool drops;         // weights are 0 at random, and those that stay multiplied by keepScale
  PhiloxKey dropout;  // but for its branch, which is the head
  uint32_t lastDropped;
  float keepScale;
};

// Operands of `attention` and of its gradients after those that attentionWeights has too.
enum { kDropoutSeed = 11, kDropoutStep };

static void readDropout(const Call& call, AttentionProblem* p) {
  const uint64_t threshold = static_cast<uint64_t>(call.ints[6]);
  p->drops = threshold > 0;
  if (!p->drops) return;
  const auto number = [&](int at) { return *static_cast<const uint32_t*>(call.inputs[at].data); };
  p->dropout = {number(kDropoutSeed), number(kDropoutStep), static_cast<uint32_t>(call.ints[5]), 0};
  p->lastDropped = static_cast<uint32_t>(threshold - 1);
  p->keepScale = static_cast<float>(call.floats[2]);
}

static AttentionProblem readAttention(const Call& call, bool withValues) {
  const Tensor* inputs = call.inputs;
  const Tensor* rest = inputs + (withValues ? 3 : 2);
  AttentionProblem p;
  p.queries = static_cast<const float*>(inputs[0].data);
  p.keys = static_cast<const float*>(inputs[1].data);
  p.values = withValues ? static_cast<const float*>(inputs[2].data) : nullptr;
  p.querySegments = static_cast<const int32_t*>(rest[0].data);
  p.keySegments = static_cast<const int32_t*>(rest[1].data);
  p.queryPositions = static_cast<const int32_t*>(rest[2].data);
  p.keyPositions = static_cast<const int32_t*>(rest[3].data);
  p.bias = rest[4];
  p.biasKind = static_cast<BiasKind>(call.ints[4]);
  p.bucketReach = p.bucketCount = 0;
  if (p.biasKind == BiasKind::kDisentangled) {
    p.relativeKeys = static_cast<const float*>(inputs[8].data);
    p.relativeQueries = static_cast<const float*>(inputs[9].data);
    p.buckets = static_cast<const int32_t*>(inputs[10].data);
    p.bucketReach = inputs[10].dims[0] / 2;
    p.bucketCount = inputs[p.relativeKeys ? 8 : 9].dims[0];
  }
  p.segments = rest[0].dims[0] - 1;
  p.heads = call.ints[0];
  p.keyHeads = call.ints[1];
  p.group = p.heads / p.keyHeads;
  p.headSize = inputs[0].dims[1] / p.heads;
  p.valueSize = withValues ? inputs[2].dims[1] / p.keyHeads : 0;
  // No two positions are 2^32 apart; the bound keeps sums with a position from overflowing.
  p.left = smaller(call.ints[2], int64_t{1} << 32);
  p.right = smaller(call.ints[3], int64_t{1} << 32);
  p.scale = static_cast<float>(call.floats[0]);
  p.softCap = static_cast<float>(call.floats[1]);
  p.tileRows = kQueryTile;
  p.drops = false;
  if (withValues) readDropout(call, &p);
  return p;
}

static inline int64_t queriesPerTile(const AttentionProblem& p) {
  return p.group < p.tileRows ? p.tileRows / p.group : 1;
}

static inline int64_t tilesOfSegment(const AttentionProblem& p, int64_t segment) {
  return divideUp(p.querySegments[segment + 1] - p.querySegments[segment], queriesPerTile(p));
}

static int64_t countTiles(const AttentionProblem& p) {
  int64_t tiles = 0;
  for (int64_t s = 0; s < p.segments; s++) tiles += tilesOfSegment(p, s) * p.keyHeads;
  return tiles;
}

constexpr int64_t kItemsPerThread = 6;  // enough for the last ones to even out

static void lengthenTiles(AttentionProblem* p, int threads) {
  p->tileRows = kLongQueryTile;
  if (countTiles(*p) < threads * kItemsPerThread) p->tileRows = kQueryTile;
}

struct QueryTile {
  int64_t segment;
  int64_t keyHead;         // the first of
  int64_t keyHeads;        // those that one thread goes through, one after the other
  int64_t firstInSegment;  // of its queries
  int64_t queries;
  int64_t rows;  // queries · group
};

// Turns work numbers, which only grow for one thread, into tiles: segment after segment, head after
// head, the last queries first, because with causal attention they have the most to do. A thread
// takes several heads of a short segment at once: they lie side by side in its rows.
class TileCursor {
 public:
  TileCursor(const AttentionProblem& p, int threads) : p_(p) {
    const int64_t heads = countTiles(p) / (threads * kItemsPerThread);
    headsAtOnce_ = heads < 1 ? 1 : smaller(heads, p.keyHeads);
  }

  // False when all work is done.
  bool seek(int64_t number, QueryTile* tile) {
    for (; segment_ < p_.segments; segment_++) {
      const int64_t tiles = tilesOfSegment(p_, segment_);
      const int64_t heads = tiles == 1 ? headsAtOnce_ : 1;
      const int64_t items = tiles * divideUp(p_.keyHeads, heads);
      if (number - passed_ < items) {
        const int64_t local = number - passed_;
        const int64_t t = tiles - 1 - local % tiles;
        const int64_t queries = p_.querySegments[segment_ + 1] - p_.querySegments[segment_];
        tile->segment = segment_;
        tile->keyHead = local / tiles * heads;
        tile->keyHeads = smaller(heads, p_.keyHeads - tile->keyHead);
        tile->firstInSegment = queries * t / tiles;
        tile->queries = queries * (t + 1) / tiles - tile->firstInSegment;
        tile->rows = tile->queries * p_.group;
        return true;
      }
      passed_ += items;
    }
    return false;
  }

 private:
  const AttentionProblem& p_;
  int64_t headsAtOnce_;
  int64_t segment_ = 0;
  int64_t passed_ = 0;  // items of the segments before segment_
};

// The lowest and highest key position that one row of a tile sees.
struct Window {
  int32_t low, high;
  bool sees(int32_t position) const { return low <= position && position <= high; }
};

static inline int32_t queryPosition(const AttentionProblem& p, const QueryTile& tile,
                                    int64_t query) {
  const int64_t local = tile.firstInSegment + query;
  return p.queryPositions ? p.queryPositions[p.querySegments[tile.segment] + local]
                          : static_cast<int32_t>(local);
}

static inline Window windowOf(const AttentionProblem& p, int32_t position) {
  Window window{kLowestPosition, kHighestPosition};
  if (p.left >= 0 && position - p.left > kLowestPosition) {
    window.low = static_cast<int32_t>(position - p.left);
  }
  if (p.right >= 0 && position + p.right < kHighestPosition) {
    window.high = static_cast<int32_t>(position + p.right);
  }
  return window;
}

}  // namespace heddle::HEDDLE_ISA
