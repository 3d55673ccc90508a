// What the gradients of attention do with a tile of queries and a block of keys: weights and slopes
// are made again, and never held beyond them.
#pragma once

#include "kernels/attention_workspace.h"

namespace heddle::HEDDLE_ISA {

// The operands after those of `attention`.
enum { kOutput = kDropoutStep + 1, kStatistics, kOutputGradient };

// Rows whose weights and slopes stay in the first-level cache from one product to the next.
constexpr int64_t kPairRows = 8 * kAttentionRows;

// What a thread keeps. Floats; T rows in a tile, D and E are d and e padded to lanes.
struct GradientWorkspace {
  AttentionWorkspace tile;  // its queries, scaled, and the packed keys
  float* gradients;         // [T][E], each over the row's Σ
  float* maxima;            // [T], m
  float* means;             // [T], D/Σ
  float* querySums;         // [T][D], ∂q
  float* keyRows;           // [kKeyBlock][D]
  float* valuesAcross;      // [e][kKeyBlock]
  float* keySums;           // [kKeyBlock][D], ∂k
  float* valueSums;         // [kKeyBlock][E], ∂v
  float* weights;           // [kPairRows][kKeyBlock], Σ·P
  float* slopes;            // [kPairRows][kKeyBlock], ∂loss / ∂(scaled q·k) (· softCap)
  float* capped;            // [kAttentionRows][kKeyBlock], scores before a bias
  // Of disentangled attention: sums of slopes by bucket, and rows of its tables.
  float* rowBuckets;  // [kAttentionRows][stride]
  float* keyBuckets;  // [kKeyBlock][stride]
  float* keyTable;    // [buckets][D]
  float* queryTable;  // [buckets][D], scaled
};

static size_t layOutGradient(const AttentionProblem& p, void* base, GradientWorkspace* w) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(base);
  uintptr_t at = begin + layOut(p, base, &w->tile);
  const auto floats = [&](int64_t count) {
    float* place = reinterpret_cast<float*>(at);
    at += static_cast<uintptr_t>(divideUp(count * 4, 64) * 64);
    return place;
  };
  const int64_t d = paddedToLanes(p.headSize), e = paddedToLanes(p.valueSize);
  const int64_t rows = queriesPerTile(p) * p.group;
  w->gradients = floats(rows * e);
  w->maxima = floats(rows);
  w->means = floats(rows);
  w->querySums = floats(rows * d);
  w->keyRows = floats(kKeyBlock * d);
  w->valuesAcross = floats(p.valueSize * kKeyBlock);
  w->keySums = floats(kKeyBlock * d);
  w->valueSums = floats(kKeyBlock * e);
  w->weights = floats(kPairRows * kKeyBlock);
  w->slopes = floats(kPairRows * kKeyBlock);
  w->capped = floats(kAttentionRows * kKeyBlock);
  const bool isRelative = p.biasKind == BiasKind::kDisentangled;
  const int64_t buckets = isRelative ? p.bucketCount : 0;
  const int64_t stride = isRelative ? relativeStride(buckets) : 0;
  w->rowBuckets = floats(kAttentionRows * stride);
  w->keyBuckets = floats(kKeyBlock * stride);
  w->keyTable = floats(buckets * d);
  w->queryTable = floats(buckets * d);
  return at - begin;
}

static void clear(float* target, int64_t count) {
  __builtin_memset(target, 0, sizeof(float) * static_cast<size_t>(count));
}

// Calls group(first, count) for even shares of at most `most` rows.
template <typename Group>
static inline void forEachShare(int64_t rows, int64_t most, const Group& group) {
  const int64_t groups = divideUp(rows, most);
  for (int64_t g = 0; g < groups; g++) {
    const int64_t first = rows * g / groups;
    group(first, rows * (g + 1) / groups - first);
  }
}

// One head's part of some rows of a tensor.
struct HeadRows {
  float* first;
  int64_t stride, size;
};

static HeadRows headRows(const Tensor& tensor, int64_t row, int64_t head, int64_t size) {
  const int64_t stride = tensor.dims[1];
  return {static_cast<float*>(tensor.data) + row * stride + head * size, stride, size};
}

// Side by side, each padded to whole vectors with zeros.
static void packRows(const HeadRows& rows, int64_t count, float* packed) {
  for (int64_t r = 0; r < count; r++) {
    forEachVector(rows.size, [&](int64_t i, int n) {
      store(packed, loadUpTo(rows.first + r * rows.stride + i, n));
      packed += kLanes;
    });
  }
}

static void unpackRows(const float* packed, int64_t count, float factor, const HeadRows& rows) {
  for (int64_t r = 0; r < count; r++) {
    forEachVector(rows.size, [&](int64_t i, int n) {
      storeUpTo(rows.first + r * rows.stride + i, mul(load(packed), broadcast(factor)), n);
      packed += kLanes;
    });
  }
}

// The queries from `first` on of a segment and key head, and what belongs to them.
static void readTile(const Call& call, const AttentionProblem& p, const QueryTile& tile,
                     GradientWorkspace& w) {
  readQueries(p, tile, tile.keyHead, w.tile);
  const float* statistics = static_cast<const float*>(call.inputs[kStatistics].data);
  const int64_t firstRow = p.querySegments[tile.segment] + tile.firstInSegment;
  const int64_t firstHead = tile.keyHead * p.group, e = paddedToLanes(p.valueSize);
  for (int64_t r = 0; r < tile.rows; r++) {
    const int64_t row = firstRow + r / p.group, head = firstHead + r % p.group;
    const HeadRows gradient = headRows(call.inputs[kOutputGradient], row, head, p.valueSize);
    const HeadRows output = headRows(call.inputs[kOutput], row, head, p.valueSize);
    const float* numbers = statistics + 2 * (row * p.heads + head);
    w.maxima[r] = numbers[0];
    // What is divided here need not be at each pair.
    const F32 inverse = broadcast(numbers[1]);
    float* packed = w.gradients + r * e;
    w.means[r] = sumOver(p.valueSize, [&](int64_t i, int n) {
      const F32 x = mul(loadUpTo(gradient.first + i, n), inverse);
      store(packed + i, x);
      return mul(x, loadUpTo(output.first + i, n));
    });
  }
}

static void packBlock(const Call& call, const AttentionProblem& p, const KeyBlock& block,
                      int64_t keyHead, GradientWorkspace& w) {
  packKeys(p, block, keyHead, w.tile.keys);
  packRows(headRows(call.inputs[1], block.firstRow, keyHead, p.headSize), block.count, w.keyRows);
  const HeadRows values = headRows(call.inputs[2], block.firstRow, keyHead, p.valueSize);
  transposeTo(values.first, values.stride, w.valuesAcross, kKeyBlock, static_cast<int>(block.count),
              static_cast<int>(p.valueSize));
}

// Weights, as dropout leaves them, and slopes ∂loss / ∂score of up to kAttentionRows rows, from row
// `first` of the tile on, into row `at` of theirs, for the visible columns.
static void weighPairs(const AttentionProblem& p, const KeyBlock& block, int64_t first, int64_t at,
                       int64_t count, const VisibleColumns& columns, GradientWorkspace& w) {
  const TileRow* rows = w.tile.rows + first;
  const float* queries = w.tile.queries + first * paddedToLanes(p.headSize);
  float* weights = w.weights + at * kKeyBlock;
  float* slopes = w.slopes + at * kKeyBlock;
  scoreRows(p, block, rows, count, columns, queries, w.tile.keys, w.tile.relative, weights);
  const int64_t e = paddedToLanes(p.valueSize);
  const Product product{w.gradients + first * e,
                        e,
                        w.valuesAcross,
                        kKeyBlock,
                        slopes,
                        kKeyBlock,
                        p.valueSize,
                        nullptr};
  multiplyColumns(product, static_cast<int>(count), columns.begin, columns.end);
  alignas(kAlignment) float factors[kKeyBlock];
  for (int64_t r = 0; r < count; r++) {
    const F32 greatest = broadcast(w.maxima[first + r]), mean = broadcast(w.means[first + r]);
    if (p.drops) keptWeights(p, block, rows[r], factors);
    for (int64_t column = columns.begin; column < columns.end; column += kLanes) {
      const int64_t j = r * kKeyBlock + column;
      const F32 weight = expNonPositive(sub(load(weights + j), greatest));
      F32 along = load(slopes + j), kept = weight;
      if (p.drops) {
        const F32 factor = load(factors + column);
        along = mul(along, factor);
        kept = mul(weight, factor);
      }
      const F32 slope = mul(weight, sub(along, mean));
      store(weights + j, kept);
      // A key that is not seen, or not there, may hold anything.
      store(slopes + j, select(equal(weight, zero()), zero(), slope));
    }
  }
}

// Makes slopes by scores those by the scaled q·k (· softCap), where scores are capped.
static void bendSlopes(const AttentionProblem& p, const KeyBlock& block, int64_t first, int64_t at,
                       int64_t count, const VisibleColumns& columns, GradientWorkspace& w) {
  if (p.softCap <= 0) return;
  AttentionProblem bare = p;
  bare.biasKind = BiasKind::kNone;
  const float* queries = w.tile.queries + first * paddedToLanes(p.headSize);
  float* slopes = w.slopes + at * kKeyBlock;
  scoreRows(bare, block, w.tile.rows + first, count, columns, queries, w.tile.keys, w.tile.relative,
            w.capped);
  for (int64_t r = 0; r < count; r++) {
    for (int64_t j = r * kKeyBlock + columns.begin; j < r * kKeyBlock + columns.end; j += kLanes) {
      const F32 slope = load(slopes + j), t = mul(load(w.capped + j), broadcast(1.0f / p.softCap));
      const F32 bent = mul(slope, mul(fnma(t, t, broadcast(1.0f)), broadcast(p.softCap)));
      // What is not seen is −∞ there.
      store(slopes + j, select(equal(slope, zero()), zero(), bent));
    }
  }
}

// target += left · right, [rows][depth] by [depth][columns], columns whole vectors. kAcross: left
// is [depth][rows].
template <bool kAcross>
static inline void addProduct(const float* left, int64_t rows, int64_t depth, const float* right,
                              float* target, int64_t columns) {
  alignas(kAlignment) float ones[kAttentionRows];
  for (float& one : ones) one = 1.0f;
  const Product product{left, kKeyBlock, right, columns, target, columns, depth, ones};
  multiplyColumns<kAcross>(product, static_cast<int>(rows), 0, columns);
}

// A thread's queries and keys of one head, by their numbers in the batch.
static QueryTile gradientTile(const AttentionProblem& p, int64_t segment, int64_t keyHead,
                              int64_t tile) {
  const int64_t first = tile * queriesPerTile(p);
  const int64_t rows = p.querySegments[segment + 1] - p.querySegments[segment];
  const int64_t queries = smaller(queriesPerTile(p), rows - first);
  return {segment, keyHead, 1, first, queries, queries * p.group};
}

}  // namespace heddle::HEDDLE_ISA
