#include "kernels/attention.h"

#include "kernels/attention_workspace.h"

namespace heddle::HEDDLE_ISA {

constexpr int kExpVectors = 2;

// Asks for the queries and the first keys of the next head.
static void prefetchHead(const AttentionProblem& p, const QueryTile& tile, int64_t keyHead) {
  const int64_t stride = p.heads * p.headSize;
  const int64_t firstRow = p.querySegments[tile.segment] + tile.firstInSegment;
  prefetchRows(p.queries + firstRow * stride + keyHead * p.group * p.headSize, stride, tile.queries,
               p.group * p.headSize);
  prefetchBlock(p, tile.segment, 0, keyHead);
}

template <int Vectors>
HEDDLE_INLINE void weighVectors(float* scores, F32 offset, F32* total) {
  F32 x[Vectors];
  HEDDLE_EACH(v, Vectors) x[v] = sub(load(scores + v * kLanes), offset);
  expNonPositive(x);
  HEDDLE_EACH(v, Vectors) {
    store(scores + v * kLanes, x[v]);
    *total = add(*total, x[v]);
  }
}

// Turns scores into weights e^(score − maximum), row by row, and adds them to the sums; rescale[r]
// is what the row's earlier sum and output must be multiplied by: 1 unless its maximum grew.
static void weighRows(const VisibleColumns& columns, int64_t count, float* scores, float* maxima,
                      float* sums, float* rescale) {
  const float lowest = -__builtin_inff();
  float shift[kAttentionRows];
  for (int64_t r = 0; r < count; r++) {
    F32 highest = broadcast(lowest);
    for (int64_t j = columns.begin; j < columns.end; j += kLanes) {
      highest = max(highest, load(scores + r * kKeyBlock + j));
    }
    const float before = maxima[r];
    const float here = maximum(highest);
    const bool grew = here > before;  // not where `here` is NaN; the sum will carry it
    maxima[r] = grew ? here : before;
    // While the row has seen nothing, e^(−∞ − 0) is the wanted 0 and e^(−∞ + ∞) would be NaN.
    shift[r] = maxima[r] == lowest ? 0.0f : maxima[r];
    rescale[r] = grew ? before - shift[r] : 0.0f;
  }
  for (int64_t r = 0; r < count; r += kLanes) store(rescale + r, expNonPositive(load(rescale + r)));
  for (int64_t r = 0; r < count; r++) {
    const F32 offset = broadcast(shift[r]);
    F32 total = zero();
    int64_t j = columns.begin;
    for (; j + kExpVectors * kLanes <= columns.end; j += kExpVectors * kLanes) {
      weighVectors<kExpVectors>(scores + r * kKeyBlock + j, offset, &total);
    }
    for (; j < columns.end; j += kLanes) {
      weighVectors<1>(scores + r * kKeyBlock + j, offset, &total);
    }
    float* sum = sums + r * kLanes;
    store(sum, fma(load(sum), broadcast(rescale[r]), total));
  }
}

static void dropWeights(const AttentionProblem& p, const KeyBlock& block, const TileRow* rows,
                        int64_t count, const VisibleColumns& columns, float* weights) {
  alignas(kAlignment) float factors[kKeyBlock];
  for (int64_t r = 0; r < count; r++, weights += kKeyBlock) {
    keptWeights(p, block, rows[r], factors);
    for (int64_t j = columns.begin; j < columns.end; j += kLanes) {
      store(weights + j, mul(load(weights + j), load(factors + j)));
    }
  }
}

// outputs += weights · values for the rows of one register tile.
static void addValues(const KeyBlock& block, const TileRow* rows, int64_t count,
                      const VisibleColumns& columns, const float* weights, const float* values,
                      const float* rescale, float* outputs, int64_t width) {
  const int64_t end = smaller(columns.end, block.count);
  Product product{
      weights + columns.begin, kKeyBlock, values + columns.begin * width, width, outputs, width,
      end - columns.begin,     rescale};
  if (block.finiteValues || !columns.partly) {
    multiplyColumns(product, static_cast<int>(count), 0, width);
    return;
  }
  // 0·∞ would carry a hidden key's value into the row, so each row takes only the keys it sees.
  product.depth = 0;
  multiplyColumns(product, static_cast<int>(count), 0, width);
  const float one = 1.0f;
  for (int64_t r = 0; r < count; r++) {
    for (int64_t j = columns.begin; j < end; j++) {
      if (!rows[r].window.sees(block.positions[j])) continue;
      const Product single{weights + r * kKeyBlock + j,
                           1,
                           values + j * width,
                           width,
                           outputs + r * width,
                           width,
                           1,
                           &one};
      multiplyColumns(single, 1, 0, width);
    }
  }
}

// statistics: null where nobody asks for them.
static void writeOutputs(const AttentionProblem& p, const QueryTile& tile,
                         const AttentionWorkspace& w, float* output, float* statistics) {
  const int64_t width = paddedToLanes(p.valueSize);
  const int64_t rowStride = p.heads * p.valueSize;
  const int64_t firstRow = p.querySegments[tile.segment] + tile.firstInSegment;
  float* target = output + firstRow * rowStride + w.rows[0].head * p.valueSize;
  int64_t r = 0;
  for (int64_t query = 0; query < tile.queries; query++, target += rowStride) {
    for (int64_t head = 0; head < p.group; head++, r++) {
      const float total = sum(load(w.sums + r * kLanes));
      const bool isBlind = total == 0;  // no key was visible
      const F32 factor = broadcast(1.0f / (isBlind ? 1.0f : total));
      if (statistics) {
        float* numbers = statistics + 2 * ((firstRow + query) * p.heads + w.rows[r].head);
        numbers[0] = isBlind ? 0.0f : w.maxima[r];
        numbers[1] = isBlind ? 0.0f : 1.0f / total;
      }
      const float* source = w.outputs + r * width;
      forEachVector(p.valueSize, [&](int64_t c, int n) {
        // The sum with 0 has no −0: whether hidden keys were skipped or weighed 0 must not show.
        storeUpTo(target + head * p.valueSize + c, fma(load(source + c), factor, zero()), n);
      });
    }
  }
}

// One key head of the tile.
static void attendHead(const Call& call, const AttentionProblem& p, const QueryTile& tile,
                       int64_t keyHead, AttentionWorkspace& w) {
  const int64_t width = paddedToLanes(p.valueSize);
  readQueries(p, tile, keyHead, w);
  for (int64_t i = 0; i < tile.rows * width; i += kLanes) store(w.outputs + i, zero());
  for (int64_t i = 0; i < tile.rows * kLanes; i += kLanes) store(w.sums + i, zero());
  for (int64_t r = 0; r < tile.rows; r++) w.maxima[r] = -__builtin_inff();

  const int64_t keys = p.keySegments[tile.segment + 1] - p.keySegments[tile.segment];
  const int64_t groups = divideUp(tile.rows, kAttentionRows);
  const Windows everyRow = windowsOf(w.rows, tile.rows);
  const bool nextHead = keyHead + 1 < tile.keyHead + tile.keyHeads;
  for (int64_t first = 0; first < keys && !isCancelled(call); first += kKeyBlock) {
    KeyBlock block;
    readKeyBlock(p, tile.segment, first, &block);
    const VisibleColumns some = visibleColumns(block, everyRow);
    if (some.end == 0) continue;
    packKeys(p, block, keyHead, w.keys);
    packValues(p, &block, keyHead, w.values);
    if (p.biasKind == BiasKind::kDisentangled) {
      readRelative(p, block, w.rows, tile.rows, everyRow.any, keyHead, &w.relative);
    }
    if (first + kKeyBlock < keys) {
      prefetchBlock(p, tile.segment, first + kKeyBlock, keyHead);
    } else if (nextHead) {
      prefetchHead(p, tile, keyHead + 1);
    }
    for (int64_t g = 0; g < groups; g++) {
      // Groups of nearly equal size: full register tiles, without a last one of a single row.
      const int64_t r = tile.rows * g / groups;
      const int64_t count = tile.rows * (g + 1) / groups - r;
      const VisibleColumns columns =
          some.partly ? visibleColumns(block, windowsOf(w.rows + r, count)) : some;
      if (columns.end == 0) continue;
      alignas(kAlignment) float rescale[kAttentionRows + kLanes] = {};
      scoreRows(p, block, w.rows + r, count, columns, w.queries + r * paddedToLanes(p.headSize),
                w.keys, w.relative, w.scores);
      weighRows(columns, count, w.scores, w.maxima + r, w.sums + r * kLanes, rescale);
      if (p.drops) dropWeights(p, block, w.rows + r, count, columns, w.scores);
      addValues(block, w.rows + r, count, columns, w.scores, w.values, rescale,
                w.outputs + r * width, width);
    }
  }
  writeOutputs(p, tile, w, static_cast<float*>(call.outputs[0].data),
               static_cast<float*>(call.outputs[1].data));
}

static void attention(const Call& call, int, int threads, Scratch scratch) {
  AttentionProblem p = readAttention(call, true);
  lengthenTiles(&p, threads);
  AttentionWorkspace w;
  layOut(p, scratch.data, &w);
  TileCursor cursor(p, threads);
  QueryTile tile;
  while (!isCancelled(call) && cursor.seek(claim(call.work), &tile)) {
    for (int64_t h = 0; h < tile.keyHeads; h++) attendHead(call, p, tile, tile.keyHead + h, w);
  }
}

static size_t attentionScratch(const Call& call) {
  AttentionProblem p = readAttention(call, true);
  p.tileRows = kLongQueryTile;
  AttentionWorkspace unused;
  return layOut(p, nullptr, &unused);
}

}  // namespace heddle::HEDDLE_ISA
