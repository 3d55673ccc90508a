#include "kernels/attention_gradient.h"

#include "kernels/attention_workspace.h"

namespace heddle::HEDDLE_ISA {

// The operands after those of `attention`, and the outputs; the last two may be absent.
enum { kOutput = 11, kStatistics, kOutputGradient };
enum { kByQueries = 0, kByKeys, kByValues };

// Rows whose weights and slopes stay in the first-level cache from one product to the next.
constexpr int64_t kPairRows = 8 * kTileRows;

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
  float* capped;            // [kTileRows][kKeyBlock], scores before a bias
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
  w->capped = floats(kTileRows * kKeyBlock);
  return at - begin;
}

static size_t attentionGradientScratch(const Call& call) {
  AttentionProblem p = readAttention(call, true);
  p.tileRows = kLongQueryTile;
  GradientWorkspace unused;
  return layOutGradient(p, nullptr, &unused);
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

// Weights and slopes of up to kTileRows rows, from row `first` of the tile on, into row `at` of
// theirs, for the visible columns.
static void weighPairs(const AttentionProblem& p, const KeyBlock& block, int64_t first, int64_t at,
                       int64_t count, const VisibleColumns& columns, GradientWorkspace& w) {
  const TileRow* rows = w.tile.rows + first;
  const float* queries = w.tile.queries + first * paddedToLanes(p.headSize);
  float* weights = w.weights + at * kKeyBlock;
  float* slopes = w.slopes + at * kKeyBlock;
  scoreRows(p, block, rows, count, columns, queries, w.tile.keys, w.tile.relative, weights);
  if (p.softCap > 0) {
    AttentionProblem bare = p;
    bare.biasKind = BiasKind::kNone;
    scoreRows(bare, block, rows, count, columns, queries, w.tile.keys, w.tile.relative, w.capped);
  }
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
  for (int64_t r = 0; r < count; r++) {
    const F32 greatest = broadcast(w.maxima[first + r]), mean = broadcast(w.means[first + r]);
    for (int64_t j = r * kKeyBlock + columns.begin; j < r * kKeyBlock + columns.end; j += kLanes) {
      const F32 weight = expNonPositive(sub(load(weights + j), greatest));
      F32 slope = mul(weight, sub(load(slopes + j), mean));
      if (p.softCap > 0) {
        const F32 t = mul(load(w.capped + j), broadcast(1.0f / p.softCap));
        slope = mul(slope, mul(fnma(t, t, broadcast(1.0f)), broadcast(p.softCap)));
      }
      store(weights + j, weight);
      // A key that is not seen, or not there, may hold anything.
      store(slopes + j, select(equal(weight, zero()), zero(), slope));
    }
  }
}

// target += left · right, [rows][depth] by [depth][columns], columns whole vectors. kAcross: left
// is [depth][rows].
template <bool kAcross>
static inline void addProduct(const float* left, int64_t rows, int64_t depth, const float* right,
                              float* target, int64_t columns) {
  alignas(kAlignment) float ones[kTileRows];
  for (float& one : ones) one = 1.0f;
  const Product product{left, kKeyBlock, right, columns, target, columns, depth, ones};
  multiplyColumns<kAcross>(product, static_cast<int>(rows), 0, columns);
}

// Which sums a thread is about to add to.
struct Sums {
  bool byQueries, byKeys, byValues;
};

// Adds what a block of keys and a tile of queries give to each other's sums.
static void addPair(const AttentionProblem& p, const KeyBlock& block, int64_t rows, Sums sums,
                    GradientWorkspace& w) {
  const int64_t d = paddedToLanes(p.headSize), e = paddedToLanes(p.valueSize);
  const VisibleColumns some = visibleColumns(block, windowsOf(w.tile.rows, rows));
  const int64_t keys = smaller(some.end, block.count) - some.begin;
  forEachShare(rows, kPairRows, [&](int64_t first, int64_t count) {
    // What each group of rows sees: the products for the keys pass over the others.
    VisibleColumns seen[kPairRows];
    int64_t firstOf[kPairRows + 1], groups = 0;
    forEachShare(count, kTileRows, [&](int64_t at, int64_t few) {
      const VisibleColumns columns =
          some.partly ? visibleColumns(block, windowsOf(w.tile.rows + first + at, few)) : some;
      firstOf[groups] = at;
      seen[groups++] = columns;
      if (columns.begin > some.begin || columns.end < some.end) {
        clear(w.weights + at * kKeyBlock, few * kKeyBlock);
        clear(w.slopes + at * kKeyBlock, few * kKeyBlock);
      }
      if (columns.end == 0) return;
      weighPairs(p, block, first + at, at, few, columns, w);
      if (!sums.byQueries) return;
      addProduct<false>(w.slopes + at * kKeyBlock + columns.begin, few,
                        smaller(columns.end, block.count) - columns.begin,
                        w.keyRows + columns.begin * d, w.querySums + (first + at) * d, d);
    });
    firstOf[groups] = count;
    if (!sums.byKeys && !sums.byValues) return;
    forEachShare(keys, kTileRows, [&](int64_t at, int64_t few) {
      const int64_t key = some.begin + at;
      const auto sees = [&](int64_t g) { return seen[g].begin < key + few && key < seen[g].end; };
      int64_t begin = 0, end = groups;
      while (begin < end && !sees(begin)) begin++;
      while (begin < end && !sees(end - 1)) end--;
      const int64_t row = firstOf[begin], depth = firstOf[end] - row;
      if (sums.byValues) {
        addProduct<true>(w.weights + row * kKeyBlock + key, few, depth,
                         w.gradients + (first + row) * e, w.valueSums + key * e, e);
      }
      if (sums.byKeys) {
        addProduct<true>(w.slopes + row * kKeyBlock + key, few, depth,
                         w.tile.queries + (first + row) * d, w.keySums + key * d, d);
      }
    });
  });
}

// A stretch of the work: a segment and key head, whole or only some of its sums.
struct GradientItem {
  enum { kWhole, kTile, kBlock } kind;
  int64_t segment, keyHead, part;  // part: number of the tile or block
};

// Turns work numbers, which only grow for one thread, into items: segment after segment, head after
// head, those first that have the most to do where attention is causal.
class ItemCursor {
 public:
  ItemCursor(const AttentionProblem& p, int threads) : p_(p), threads_(threads) {
    for (int64_t s = 0; s < p.segments; s++) total_ += pairsOf(s) * static_cast<double>(p.keyHeads);
  }

  // False when all work is done.
  bool seek(int64_t number, GradientItem* item) {
    for (; segment_ < p_.segments; segment_++) {
      const int64_t tiles = divideUp(queriesOf(segment_), queriesPerTile(p_));
      const int64_t blocks = divideUp(keysOf(segment_), kKeyBlock);
      const bool whole = isWhole(pairsOf(segment_));
      const int64_t parts = whole ? 1 : tiles + blocks;
      const int64_t local = number - passed_;
      if (local < parts * p_.keyHeads) {
        const int64_t part = local % parts;
        *item = {GradientItem::kWhole, segment_, local / parts, 0};
        if (!whole && part < tiles) {
          item->kind = GradientItem::kTile;
          item->part = tiles - 1 - part;
        } else if (!whole) {
          item->kind = GradientItem::kBlock;
          item->part = part - tiles;
        }
        return true;
      }
      passed_ += parts * p_.keyHeads;
    }
    return false;
  }

  int64_t queriesOf(int64_t s) const { return p_.querySegments[s + 1] - p_.querySegments[s]; }
  int64_t keysOf(int64_t s) const { return p_.keySegments[s + 1] - p_.keySegments[s]; }

 private:
  double pairsOf(int64_t s) const {
    return static_cast<double>(queriesOf(s)) * static_cast<double>(keysOf(s));
  }

  // Whether the team is sooner done with items of five products that large, in rounds, than with
  // seven products shared evenly.
  bool isWhole(double pairs) const {
    if (pairs == 0) return true;
    const double rounds = __builtin_ceil(total_ / (pairs * threads_));
    return 5 * rounds * threads_ * pairs <= 7 * total_;
  }

  const AttentionProblem& p_;
  const int threads_;
  double total_ = 0;
  int64_t segment_ = 0;
  int64_t passed_ = 0;  // items of the segments before segment_
};

static QueryTile tileAt(const AttentionProblem& p, const ItemCursor& work, int64_t segment,
                        int64_t keyHead, int64_t tile) {
  const int64_t first = tile * queriesPerTile(p);
  const int64_t queries = smaller(queriesPerTile(p), work.queriesOf(segment) - first);
  return {segment, keyHead, 1, first, queries, queries * p.group};
}

// Where a block's sums stand in the results.
static HeadRows blockRows(const Call& call, const AttentionProblem& p, const KeyBlock& block,
                          int64_t keyHead, int output) {
  const int64_t size = output == kByKeys ? p.headSize : p.valueSize;
  return headRows(call.outputs[output], block.firstRow, keyHead, size);
}

// ∂q of a tile; with the other sums, which lie in the results, it adds the tile to those as well.
static void goThroughTile(const Call& call, const AttentionProblem& p, const QueryTile& tile,
                          int64_t keys, Sums sums, GradientWorkspace& w) {
  const int64_t d = paddedToLanes(p.headSize);
  readTile(call, p, tile, w);
  clear(w.querySums, tile.rows * d);
  const Windows everyRow = windowsOf(w.tile.rows, tile.rows);
  for (int64_t first = 0; first < keys && !isCancelled(call); first += kKeyBlock) {
    KeyBlock block;
    readKeyBlock(p, tile.segment, first, &block);
    if (visibleColumns(block, everyRow).end == 0) continue;
    packBlock(call, p, block, tile.keyHead, w);
    if (first + kKeyBlock < keys) prefetchBlock(p, tile.segment, first + kKeyBlock, tile.keyHead);
    const HeadRows byKeys = blockRows(call, p, block, tile.keyHead, kByKeys);
    const HeadRows byValues = blockRows(call, p, block, tile.keyHead, kByValues);
    if (sums.byKeys) packRows(byKeys, block.count, w.keySums);
    if (sums.byValues) packRows(byValues, block.count, w.valueSums);
    addPair(p, block, tile.rows, sums, w);
    if (sums.byKeys) unpackRows(w.keySums, block.count, 1.0f, byKeys);
    if (sums.byValues) unpackRows(w.valueSums, block.count, 1.0f, byValues);
  }
  const float factor = p.softCap > 0 ? p.scale / p.softCap : p.scale;
  const int64_t firstRow = p.querySegments[tile.segment] + tile.firstInSegment;
  for (int64_t query = 0; query < tile.queries; query++) {
    HeadRows heads =
        headRows(call.outputs[kByQueries], firstRow + query, tile.keyHead * p.group, p.headSize);
    heads.stride = p.headSize;
    unpackRows(w.querySums + query * p.group * d, p.group, factor, heads);
  }
}

// ∂k and ∂v of a block.
static void goThroughBlock(const Call& call, const AttentionProblem& p, const ItemCursor& work,
                           const GradientItem& item, Sums sums, GradientWorkspace& w) {
  KeyBlock block;
  readKeyBlock(p, item.segment, item.part * kKeyBlock, &block);
  packBlock(call, p, block, item.keyHead, w);
  clear(w.keySums, block.count * paddedToLanes(p.headSize));
  clear(w.valueSums, block.count * paddedToLanes(p.valueSize));
  const int64_t tiles = divideUp(work.queriesOf(item.segment), queriesPerTile(p));
  for (int64_t t = 0; t < tiles && !isCancelled(call); t++) {
    const QueryTile tile = tileAt(p, work, item.segment, item.keyHead, t);
    readTile(call, p, tile, w);
    addPair(p, block, tile.rows, sums, w);
  }
  const HeadRows byKeys = blockRows(call, p, block, item.keyHead, kByKeys);
  const HeadRows byValues = blockRows(call, p, block, item.keyHead, kByValues);
  if (sums.byKeys) unpackRows(w.keySums, block.count, 1.0f, byKeys);
  if (sums.byValues) unpackRows(w.valueSums, block.count, 1.0f, byValues);
}

static void goThroughHead(const Call& call, const AttentionProblem& p, const ItemCursor& work,
                          const GradientItem& item, Sums sums, GradientWorkspace& w) {
  const int64_t keys = work.keysOf(item.segment), firstRow = p.keySegments[item.segment];
  const auto clearRows = [&](int output, int64_t size) {
    const HeadRows rows = headRows(call.outputs[output], firstRow, item.keyHead, size);
    for (int64_t j = 0; j < keys; j++) clear(rows.first + j * rows.stride, rows.size);
  };
  if (sums.byKeys) clearRows(kByKeys, p.headSize);
  if (sums.byValues) clearRows(kByValues, p.valueSize);
  const int64_t tiles = divideUp(work.queriesOf(item.segment), queriesPerTile(p));
  for (int64_t t = 0; t < tiles && !isCancelled(call); t++) {
    goThroughTile(call, p, tileAt(p, work, item.segment, item.keyHead, t), keys, sums, w);
  }
}

static void attentionGradient(const Call& call, int, int threads, Scratch scratch) {
  AttentionProblem p = readAttention(call, true);
  lengthenTiles(&p, threads);
  GradientWorkspace w;
  layOutGradient(p, scratch.data, &w);
  const bool byKeys = call.outputs[kByKeys].data, byValues = call.outputs[kByValues].data;
  ItemCursor work(p, threads);
  GradientItem item;
  while (!isCancelled(call) && work.seek(claim(call.work), &item)) {
    if (item.kind == GradientItem::kWhole) {
      goThroughHead(call, p, work, item, {true, byKeys, byValues}, w);
    } else if (item.kind == GradientItem::kTile) {
      goThroughTile(call, p, tileAt(p, work, item.segment, item.keyHead, item.part),
                    work.keysOf(item.segment), {true, false, false}, w);
    } else if (byKeys || byValues) {
      goThroughBlock(call, p, work, item, {false, byKeys, byValues}, w);
    }
  }
}

}  // namespace heddle::HEDDLE_ISA
