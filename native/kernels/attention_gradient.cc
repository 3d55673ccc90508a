#include "kernels/attention_gradient.h"

#include "kernels/attention_workspace.h"

namespace heddle::HEDDLE_ISA {

// The operands after those of `attention`.
enum { kGradientFirst = 11, kGradientSecond = 12 };

// What a thread keeps. Floats; T rows in a tile, D and E are d and e padded to lanes.
struct GradientWorkspace {
  AttentionWorkspace tile;  // queries, scaled, and the packed keys
  float* keyRows;           // [kKeyBlock][D]
  float* valuesAcross;      // [e][kKeyBlock]
  float* queryRows;         // [T][D], scaled
  float* gradients;         // [T][E]
  float* statistics;        // [T][3]
  float* weights;           // [T][kKeyBlock], P
  float* slopes;            // [T][kKeyBlock], ∂loss / ∂(scaled q·k)
  float* across;            // [kKeyBlock][T], one of the two, transposed
  float* capped;            // [kTileRows][kKeyBlock], scores before a bias
  float* sums;              // [T or kKeyBlock][D]
  float* valueSums;         // [kKeyBlock][E]
  int64_t rows;             // T
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
  const int64_t rows = w->rows = queriesPerTile(p) * p.group;
  w->keyRows = floats(kKeyBlock * d);
  w->valuesAcross = floats(p.valueSize * kKeyBlock);
  w->queryRows = floats(rows * d);
  w->gradients = floats(rows * e);
  w->statistics = floats(rows * 3);
  w->weights = floats(rows * kKeyBlock);
  w->slopes = floats(rows * kKeyBlock);
  w->across = floats(kKeyBlock * rows);
  w->capped = floats(kTileRows * kKeyBlock);
  w->sums = floats((rows > kKeyBlock ? rows : kKeyBlock) * d);
  w->valueSums = floats(kKeyBlock * e);
  return at - begin;
}

static size_t attentionGradientScratch(const Call& call) {
  GradientWorkspace unused;
  return layOutGradient(readAttention(call, true), nullptr, &unused);
}

// Rows of `size` floats, `stride` apart, side by side and padded to whole vectors with zeros.
static float* packRow(const float* source, int64_t size, float* target) {
  forEachVector(size, [&](int64_t i, int n) {
    store(target, loadUpTo(source + i, n));
    target += kLanes;
  });
  return target;
}

static void clear(float* target, int64_t count) {
  __builtin_memset(target, 0, sizeof(float) * static_cast<size_t>(count));
}

// Calls group(first, count) for register tiles of nearly equal size.
template <typename Group>
static void forEachGroup(int64_t rows, const Group& group) {
  const int64_t groups = divideUp(rows, kTileRows);
  for (int64_t g = 0; g < groups; g++) {
    const int64_t first = rows * g / groups;
    group(first, rows * (g + 1) / groups - first);
  }
}

// target += left · right: [rows][depth] by [depth][columns], columns whole vectors.
static void addProduct(const float* left, int64_t leftStride, int64_t rows, int64_t depth,
                       const float* right, float* target, int64_t columns) {
  alignas(kAlignment) float ones[kTileRows];
  for (float& one : ones) one = 1.0f;
  forEachGroup(rows, [&](int64_t first, int64_t count) {
    const Product product{left + first * leftStride, leftStride, right, columns,
                          target + first * columns,  columns,    depth, ones};
    multiplyColumns(product, static_cast<int>(count), 0, columns);
  });
}

// The tile's rows of the output's gradient and of the statistics, in the order of its queries.
static void readGradients(const Call& call, const AttentionProblem& p, const QueryTile& tile,
                          int64_t keyHead, GradientWorkspace& w) {
  const float* statistics = static_cast<const float*>(call.inputs[kGradientFirst].data);
  const float* gradients = static_cast<const float*>(call.inputs[kGradientSecond].data);
  const int64_t firstRow = p.querySegments[tile.segment] + tile.firstInSegment;
  float* target = w.gradients;
  float* numbers = w.statistics;
  for (int64_t query = firstRow; query < firstRow + tile.queries; query++) {
    for (int64_t head = keyHead * p.group; head < (keyHead + 1) * p.group; head++) {
      const int64_t row = query * p.heads + head;
      target = packRow(gradients + row * p.valueSize, p.valueSize, target);
      for (int i = 0; i < 3; i++) *numbers++ = statistics[3 * row + i];
    }
  }
}

static void packBlock(const AttentionProblem& p, const KeyBlock& block, int64_t keyHead,
                      GradientWorkspace& w) {
  packKeys(p, block, keyHead, w.tile.keys);
  const int64_t stride = p.keyHeads * p.valueSize;
  transposeTo(p.values + block.firstRow * stride + keyHead * p.valueSize, stride, w.valuesAcross,
              kKeyBlock, static_cast<int>(block.count), static_cast<int>(p.valueSize));
}

// Weights and slopes of `count` rows from row `first` of the tile on, for the visible columns.
static void weighPairs(const AttentionProblem& p, const KeyBlock& block, int64_t first,
                       int64_t count, const VisibleColumns& columns, GradientWorkspace& w) {
  const TileRow* rows = w.tile.rows + first;
  const float* queries = w.tile.queries + first * p.headSize;
  float* weights = w.weights + first * kKeyBlock;
  float* slopes = w.slopes + first * kKeyBlock;
  scoreRows(p, block, rows, count, columns, queries, w.tile.keys, w.tile.relative, weights);
  if (p.softCap > 0) {
    AttentionProblem bare = p;
    bare.biasKind = BiasKind::kNone;
    scoreRows(bare, block, rows, count, columns, queries, w.tile.keys, w.tile.relative, w.capped);
  }
  const int64_t width = paddedToLanes(p.valueSize);
  const Product product{w.gradients + first * width,
                        width,
                        w.valuesAcross,
                        kKeyBlock,
                        slopes,
                        kKeyBlock,
                        p.valueSize,
                        nullptr};
  multiplyColumns(product, static_cast<int>(count), columns.begin, columns.end);
  const float perCap = p.softCap > 0 ? 1.0f / p.softCap : 0.0f;
  for (int64_t r = 0; r < count; r++) {
    const float* statistics = w.statistics + 3 * (first + r);
    const F32 greatest = broadcast(statistics[0]), factor = broadcast(statistics[1]);
    const F32 mean = broadcast(statistics[2]);
    for (int64_t j = columns.begin; j < columns.end; j += kLanes) {
      const int64_t at = r * kKeyBlock + j;
      const F32 weight = mul(expNonPositive(sub(load(weights + at), greatest)), factor);
      F32 slope = mul(weight, sub(load(slopes + at), mean));
      if (p.softCap > 0) {
        const F32 t = mul(load(w.capped + at), broadcast(perCap));
        slope = mul(slope, fnma(t, t, broadcast(1.0f)));
      }
      // A key that is not seen, or not there, may hold anything.
      store(slopes + at, select(equal(weight, zero()), zero(), slope));
      store(weights + at, weight);
    }
  }
}

// m and 1/Σ of the rows of one tile and key head.
static void findStatistics(const Call& call, const AttentionProblem& p, const QueryTile& tile,
                           int64_t keyHead, GradientWorkspace& w) {
  const float lowest = -__builtin_inff();
  for (int64_t r = 0; r < tile.rows; r++) {
    w.tile.maxima[r] = lowest;
    w.tile.sums[r] = 0;
  }
  const Windows everyRow = windowsOf(w.tile.rows, tile.rows);
  const int64_t keys = p.keySegments[tile.segment + 1] - p.keySegments[tile.segment];
  for (int64_t first = 0; first < keys && !isCancelled(call); first += kKeyBlock) {
    KeyBlock block;
    readKeyBlock(p, tile.segment, first, &block);
    const VisibleColumns columns = visibleColumns(block, everyRow);
    if (columns.end == 0) continue;
    packKeys(p, block, keyHead, w.tile.keys);
    forEachGroup(tile.rows, [&](int64_t start, int64_t count) {
      scoreRows(p, block, w.tile.rows + start, count, columns, w.tile.queries + start * p.headSize,
                w.tile.keys, w.tile.relative, w.tile.scores);
      for (int64_t r = 0; r < count; r++) {
        const float* scores = w.tile.scores + r * kKeyBlock;
        F32 highest = broadcast(lowest);
        for (int64_t j = columns.begin; j < columns.end; j += kLanes) {
          highest = max(highest, load(scores + j));
        }
        const float before = w.tile.maxima[start + r], here = maximum(highest);
        const float greatest = here > before ? here : before;
        if (greatest == lowest) continue;  // e^(−∞ + ∞) would be NaN
        F32 total = zero();
        for (int64_t j = columns.begin; j < columns.end; j += kLanes) {
          total = add(total, expNonPositive(sub(load(scores + j), broadcast(greatest))));
        }
        alignas(kAlignment) float shrunk[kLanes];
        store(shrunk, expNonPositive(broadcast(before - greatest)));
        w.tile.sums[start + r] = w.tile.sums[start + r] * shrunk[0] + sum(total);
        w.tile.maxima[start + r] = greatest;
      }
    });
  }
}

static void attentionStatistics(const Call& call, int, int threads, Scratch scratch) {
  const AttentionProblem p = readAttention(call, true);
  GradientWorkspace w;
  layOutGradient(p, scratch.data, &w);
  const float* outputs = static_cast<const float*>(call.inputs[kGradientFirst].data);
  const float* gradients = static_cast<const float*>(call.inputs[kGradientSecond].data);
  TileCursor cursor(p, threads);
  QueryTile tile;
  while (!isCancelled(call) && cursor.seek(claim(call.work), &tile)) {
    for (int64_t keyHead = tile.keyHead; keyHead < tile.keyHead + tile.keyHeads; keyHead++) {
      readQueries(p, tile, keyHead, w.tile);
      findStatistics(call, p, tile, keyHead, w);
      const int64_t firstRow = p.querySegments[tile.segment] + tile.firstInSegment;
      for (int64_t r = 0; r < tile.rows; r++) {
        const int64_t row = (firstRow + r / p.group) * p.heads + keyHead * p.group + r % p.group;
        const float total = w.tile.sums[r];
        float* to = static_cast<float*>(call.outputs[0].data) + 3 * row;
        to[0] = total == 0 ? 0.0f : w.tile.maxima[r];
        to[1] = total == 0 ? 0.0f : 1.0f / total;  // 0: no key was visible
        to[2] = sumOver(p.valueSize, [&](int64_t i, int n) {
          const int64_t at = row * p.valueSize + i;
          return mul(loadUpTo(outputs + at, n), loadUpTo(gradients + at, n));
        });
      }
    }
  }
}

// ∂q of one tile and key head.
static void queryGradient(const Call& call, const AttentionProblem& p, const QueryTile& tile,
                          int64_t keyHead, GradientWorkspace& w) {
  const int64_t width = paddedToLanes(p.headSize);
  const int64_t keyStride = p.keyHeads * p.headSize;
  readQueries(p, tile, keyHead, w.tile);
  readGradients(call, p, tile, keyHead, w);
  clear(w.sums, tile.rows * width);
  const Windows everyRow = windowsOf(w.tile.rows, tile.rows);
  const int64_t keys = p.keySegments[tile.segment + 1] - p.keySegments[tile.segment];
  for (int64_t first = 0; first < keys && !isCancelled(call); first += kKeyBlock) {
    KeyBlock block;
    readKeyBlock(p, tile.segment, first, &block);
    const VisibleColumns some = visibleColumns(block, everyRow);
    if (some.end == 0) continue;
    packBlock(p, block, keyHead, w);
    float* keyRow = w.keyRows;
    for (int64_t j = 0; j < block.count; j++) {
      keyRow = packRow(p.keys + (block.firstRow + j) * keyStride + keyHead * p.headSize, p.headSize,
                       keyRow);
    }
    forEachGroup(tile.rows, [&](int64_t r, int64_t count) {
      const VisibleColumns columns =
          some.partly ? visibleColumns(block, windowsOf(w.tile.rows + r, count)) : some;
      if (columns.end == 0) return;
      weighPairs(p, block, r, count, columns, w);
      addProduct(w.slopes + r * kKeyBlock + columns.begin, kKeyBlock, count,
                 smaller(columns.end, block.count) - columns.begin,
                 w.keyRows + columns.begin * width, w.sums + r * width, width);
    });
  }
  const F32 scale = broadcast(p.scale);
  const int64_t firstRow = p.querySegments[tile.segment] + tile.firstInSegment;
  for (int64_t r = 0; r < tile.rows; r++) {
    const int64_t row = (firstRow + r / p.group) * p.heads + keyHead * p.group + r % p.group;
    float* to = static_cast<float*>(call.outputs[0].data) + row * p.headSize;
    forEachVector(p.headSize, [&](int64_t i, int n) {
      storeUpTo(to + i, mul(loadUpTo(w.sums + r * width + i, n), scale), n);
    });
  }
}

static void attentionQueryGradient(const Call& call, int, int threads, Scratch scratch) {
  const AttentionProblem p = readAttention(call, true);
  GradientWorkspace w;
  layOutGradient(p, scratch.data, &w);
  TileCursor cursor(p, threads);
  QueryTile tile;
  while (!isCancelled(call) && cursor.seek(claim(call.work), &tile)) {
    for (int64_t h = 0; h < tile.keyHeads; h++) {
      queryGradient(call, p, tile, tile.keyHead + h, w);
    }
  }
}

// Adds what one tile of queries gives to a block of keys.
static void addTile(const Call& call, const AttentionProblem& p, const QueryTile& tile,
                    const KeyBlock& block, int64_t keyHead, GradientWorkspace& w) {
  const int64_t d = paddedToLanes(p.headSize), e = paddedToLanes(p.valueSize);
  readQueries(p, tile, keyHead, w.tile);
  const VisibleColumns some = visibleColumns(block, windowsOf(w.tile.rows, tile.rows));
  if (some.end == 0) return;
  readGradients(call, p, tile, keyHead, w);
  float* row = w.queryRows;
  for (int64_t r = 0; r < tile.rows; r++) {
    row = packRow(w.tile.queries + r * p.headSize, p.headSize, row);
  }
  forEachGroup(tile.rows, [&](int64_t r, int64_t count) {
    const VisibleColumns columns =
        some.partly ? visibleColumns(block, windowsOf(w.tile.rows + r, count)) : some;
    if (columns.begin > 0 || columns.end < block.count) {
      clear(w.weights + r * kKeyBlock, count * kKeyBlock);
      clear(w.slopes + r * kKeyBlock, count * kKeyBlock);
    }
    if (columns.end > 0) weighPairs(p, block, r, count, columns, w);
  });
  const int rows = static_cast<int>(tile.rows), keys = static_cast<int>(block.count);
  transposeTo(w.weights, kKeyBlock, w.across, w.rows, rows, keys);
  addProduct(w.across, w.rows, block.count, tile.rows, w.gradients, w.valueSums, e);
  transposeTo(w.slopes, kKeyBlock, w.across, w.rows, rows, keys);
  addProduct(w.across, w.rows, block.count, tile.rows, w.queryRows, w.sums, d);
}

static void keyValueGradient(const Call& call, const AttentionProblem& p, int64_t segment,
                             int64_t keyHead, int64_t firstKey, GradientWorkspace& w) {
  const int64_t d = paddedToLanes(p.headSize), e = paddedToLanes(p.valueSize);
  KeyBlock block;
  readKeyBlock(p, segment, firstKey, &block);
  packBlock(p, block, keyHead, w);
  clear(w.sums, block.count * d);
  clear(w.valueSums, block.count * e);
  const int64_t queries = p.querySegments[segment + 1] - p.querySegments[segment];
  const int64_t perTile = queriesPerTile(p);
  for (int64_t first = 0; first < queries && !isCancelled(call); first += perTile) {
    const int64_t count = smaller(perTile, queries - first);
    addTile(call, p, {segment, keyHead, 1, first, count, count * p.group}, block, keyHead, w);
  }
  // Queries came scaled, but for the soft-cap that scores were divided by.
  const F32 factor = broadcast(p.softCap > 0 ? p.softCap : 1.0f);
  const int64_t keyWidth = p.keyHeads * p.headSize, valueWidth = p.keyHeads * p.valueSize;
  for (int64_t j = 0; j < block.count; j++) {
    float* to =
        static_cast<float*>(call.outputs[0].data) + (block.firstRow + j) * (keyWidth + valueWidth);
    forEachVector(p.headSize, [&](int64_t i, int n) {
      storeUpTo(to + keyHead * p.headSize + i, mul(loadUpTo(w.sums + j * d + i, n), factor), n);
    });
    forEachVector(p.valueSize, [&](int64_t i, int n) {
      storeUpTo(to + keyWidth + keyHead * p.valueSize + i, loadUpTo(w.valueSums + j * e + i, n), n);
    });
  }
}

static void attentionKeyValueGradient(const Call& call, int, int, Scratch scratch) {
  const AttentionProblem p = readAttention(call, true);
  GradientWorkspace w;
  layOutGradient(p, scratch.data, &w);
  int64_t passed = 0;  // items of the segments before the one at hand
  int64_t item = claim(call.work);
  for (int64_t segment = 0; segment < p.segments; segment++) {
    const int64_t keys = p.keySegments[segment + 1] - p.keySegments[segment];
    const int64_t blocks = divideUp(keys, kKeyBlock);
    for (; item - passed < blocks * p.keyHeads; item = claim(call.work)) {
      if (isCancelled(call)) return;
      const int64_t local = item - passed;
      keyValueGradient(call, p, segment, local / blocks, local % blocks * kKeyBlock, w);
    }
    passed += blocks * p.keyHeads;
  }
}

}  // namespace heddle::HEDDLE_ISA
