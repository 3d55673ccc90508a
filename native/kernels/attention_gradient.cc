#include "kernels/attention_gradient.h"

#include "kernels/attention_relative_gradient.h"

namespace heddle::HEDDLE_ISA {

// The outputs; the last two may be absent.
enum { kByQueries = 0, kByKeys, kByValues };

// What disentangled biases add to ∂k is added up tile by tile: there, tiles of another length would
// give other bits.
static bool mayLengthenTiles(const AttentionProblem& p) {
  return p.biasKind != BiasKind::kDisentangled;
}

static size_t attentionGradientScratch(const Call& call) {
  AttentionProblem p = readAttention(call, true);
  if (mayLengthenTiles(p)) p.tileRows = kLongQueryTile;
  GradientWorkspace unused;
  return layOutGradient(p, nullptr, &unused);
}

// Which sums a thread is about to add to.
struct Sums {
  bool byQueries, byKeys, byValues;
};

// What disentangled biases add to the sums of a tile and a block; nothing before `begin`.
struct RelativePair {
  int64_t buckets = 0;
  bool byQueries = false, byKeys = false;

  void begin(const AttentionProblem& p, const KeyBlock& block, int64_t head, int64_t rows,
             Sums sums, GradientWorkspace& w) {
    const RelativeTerms& terms = w.tile.relative;
    buckets = readRelativeGradient(p, block, rows, head, w);
    byQueries = buckets > 0 && sums.byQueries && p.relativeKeys;
    byKeys = buckets > 0 && sums.byKeys && p.relativeQueries;
    if (byQueries) packTable(p, p.relativeKeys, terms.first, buckets, head, 1.0f, w.keyTable);
    if (!byKeys) return;
    packTable(p, p.relativeQueries, terms.first, buckets, head, p.scale, w.queryTable);
    clear(w.keyBuckets, block.count * terms.stride);
  }

  void add(const AttentionProblem& p, const KeyBlock& block, int64_t first, int64_t at,
           int64_t count, const VisibleColumns& columns, GradientWorkspace& w) const {
    const RelativeTerms& terms = w.tile.relative;
    const TileRow* rows = w.tile.rows + first;
    const float* slopes = w.slopes + at * kKeyBlock;
    if (byKeys) {
      addToBuckets(p, block, rows, count, columns, slopes, terms.first, terms.stride, false,
                   w.keyBuckets);
    }
    if (!byQueries) return;
    clear(w.rowBuckets, count * terms.stride);
    addToBuckets(p, block, rows, count, columns, slopes, terms.first, terms.stride, true,
                 w.rowBuckets);
    const int64_t d = paddedToLanes(p.headSize);
    addBuckets(w.rowBuckets, count, terms.stride, buckets, w.keyTable, w.querySums + first * d, d);
  }

  void finish(const KeyBlock& block, int64_t d, GradientWorkspace& w) const {
    if (!byKeys) return;
    addBuckets(w.keyBuckets, block.count, w.tile.relative.stride, buckets, w.queryTable, w.keySums,
               d);
  }
};

// Adds what a block of keys and a tile of queries give to each other's sums.
static void addPair(const AttentionProblem& p, const KeyBlock& block, int64_t head, int64_t rows,
                    Sums sums, GradientWorkspace& w) {
  const int64_t d = paddedToLanes(p.headSize), e = paddedToLanes(p.valueSize);
  const VisibleColumns some = visibleColumns(block, windowsOf(w.tile.rows, rows));
  const int64_t keys = smaller(some.end, block.count) - some.begin;
  RelativePair relative;
  if (p.biasKind == BiasKind::kDisentangled) relative.begin(p, block, head, rows, sums, w);
  forEachShare(rows, kPairRows, [&](int64_t first, int64_t count) {
    // What each group of rows sees: the products for the keys pass over the others.
    VisibleColumns seen[kPairRows];
    int64_t firstOf[kPairRows + 1], groups = 0;
    forEachShare(count, kAttentionRows, [&](int64_t at, int64_t few) {
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
      relative.add(p, block, first + at, at, few, columns, w);
      bendSlopes(p, block, first + at, at, few, columns, w);
      if (!sums.byQueries) return;
      addProduct<false>(w.slopes + at * kKeyBlock + columns.begin, few,
                        smaller(columns.end, block.count) - columns.begin,
                        w.keyRows + columns.begin * d, w.querySums + (first + at) * d, d);
    });
    firstOf[groups] = count;
    if (!sums.byKeys && !sums.byValues) return;
    forEachShare(keys, kAttentionRows, [&](int64_t at, int64_t few) {
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
  relative.finish(block, d, w);
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
    addPair(p, block, tile.keyHead, tile.rows, sums, w);
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
    const QueryTile tile = gradientTile(p, item.segment, item.keyHead, t);
    readTile(call, p, tile, w);
    addPair(p, block, tile.keyHead, tile.rows, sums, w);
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
    goThroughTile(call, p, gradientTile(p, item.segment, item.keyHead, t), keys, sums, w);
  }
}

static void attentionGradient(const Call& call, int, int threads, Scratch scratch) {
  AttentionProblem p = readAttention(call, true);
  if (mayLengthenTiles(p)) lengthenTiles(&p, threads);
  GradientWorkspace w;
  layOutGradient(p, scratch.data, &w);
  const bool byKeys = call.outputs[kByKeys].data, byValues = call.outputs[kByValues].data;
  ItemCursor work(p, threads);
  GradientItem item;
  while (!isCancelled(call) && work.seek(claim(call.work), &item)) {
    if (item.kind == GradientItem::kWhole) {
      goThroughHead(call, p, work, item, {true, byKeys, byValues}, w);
    } else if (item.kind == GradientItem::kTile) {
      goThroughTile(call, p, gradientTile(p, item.segment, item.keyHead, item.part),
                    work.keysOf(item.segment), {true, false, false}, w);
    } else if (byKeys || byValues) {
      goThroughBlock(call, p, work, item, {false, byKeys, byValues}, w);
    }
  }
}

}  // namespace heddle::HEDDLE_ISA
