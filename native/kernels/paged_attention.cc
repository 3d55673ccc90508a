#include "kernels/paged_attention.h"

#include "kernels/attention_workspace.h"
#include "kernels/kv_pages.h"
#include "kernels/quantized.h"

namespace heddle::HEDDLE_ISA {

static_assert(kKeyBlock == kPagePositions, "a page and head is a block of keys");

// One of the two caches of a layer.
struct Cache {
  const void* data;
  DType dtype;
  int64_t rows, size;
};

struct PagedProblem {
  AttentionProblem attention;  // whose keySegments and positions are not used
  Cache keys, values;
  const int32_t* lengths;
  const int32_t* tableOffsets;
  const int32_t* tables;
  const int32_t* partOffsets;
  float* parts;
  int64_t partWidth;
};

static PagedProblem readPaged(const Call& call) {
  const Tensor* inputs = call.inputs;
  const auto ints = [&](int i) { return static_cast<const int32_t*>(inputs[i].data); };
  PagedProblem p = {};
  AttentionProblem& a = p.attention;
  p.keys = {inputs[1].data, inputs[1].dtype, inputs[1].dims[0], inputs[1].dims[1]};
  p.values = {inputs[2].data, inputs[2].dtype, inputs[2].dims[0], inputs[2].dims[1]};
  a.queries = static_cast<const float*>(inputs[0].data);
  a.querySegments = ints(3);
  p.lengths = ints(4);
  p.tableOffsets = ints(5);
  p.tables = ints(6);
  p.partOffsets = ints(7);
  a.bias = inputs[8];
  a.biasKind = inputs[8].data ? BiasKind::kDense : BiasKind::kNone;
  a.segments = inputs[3].dims[0] - 1;
  a.heads = call.ints[0];
  a.keyHeads = call.ints[1];
  a.group = a.heads / a.keyHeads;
  a.headSize = p.keys.size;
  a.valueSize = p.values.size;
  a.left = smaller(call.ints[2], int64_t{1} << 32);
  a.right = 0;
  a.scale = static_cast<float>(call.floats[0]);
  a.softCap = static_cast<float>(call.floats[1]);
  a.tileRows = kQueryTile;
  p.parts = static_cast<float*>(call.outputs[0].data);
  p.partWidth = a.heads * (a.valueSize + 2);
  return p;
}

// What a thread keeps: the workspace of attention for 512 positions, and the sum of several.
struct PagedWorkspace {
  AttentionWorkspace one;
  float* outputs;  // [T][E]
  float* maxima;   // [T]
  float* sums;     // [T]
};

static size_t layOut(const PagedProblem& p, void* base, PagedWorkspace* w) {
  const AttentionProblem& a = p.attention;
  const size_t own = layOut(a, base, &w->one);
  const int64_t rows = queriesPerTile(a) * a.group;
  const auto padded = [](int64_t floats) { return divideUp(floats * 4, 64) * 64; };
  const uintptr_t at = reinterpret_cast<uintptr_t>(base) + own;
  const uintptr_t outputs = static_cast<uintptr_t>(padded(rows * paddedToLanes(a.valueSize)));
  const uintptr_t each = static_cast<uintptr_t>(padded(rows));
  w->outputs = reinterpret_cast<float*>(at);
  w->maxima = reinterpret_cast<float*>(at + outputs);
  w->sums = reinterpret_cast<float*>(at + outputs + each);
  return own + outputs + 2 * each;
}

// Positions 64·page … of a sequence, `count` of them.
static void readPage(int64_t first, int64_t count, KeyBlock* block) {
  block->count = smaller(count, kKeyBlock);
  block->consecutive = true;
  for (int64_t j = 0; j < kKeyBlock; j++) {
    block->positions[j] = j < block->count ? static_cast<int32_t>(first + j) : 0;
  }
  for (int64_t s = 0; s < spansOf(*block); s++) {
    block->lowest[s] = static_cast<int32_t>(first + s * kSpan);
    block->highest[s] = static_cast<int32_t>(first + smaller((s + 1) * kSpan, block->count) - 1);
  }
}

static inline const float* scalesOf(const Cache& cache, int64_t row) {
  const int8_t* data = static_cast<const int8_t*>(cache.data);
  return reinterpret_cast<const float*>(data + int8ScalesAt(cache.rows, cache.size)) + row;
}

// Kᵀ of a page and head, [d][64]: where it lies, or widened.
static const float* keysOf(const Cache& cache, int64_t row, float* widened) {
  const int64_t at = row * cache.size, count = kKeyBlock * cache.size;
  if (cache.dtype == DType::kFloat32) return static_cast<const float*>(cache.data) + at;
  if (cache.dtype == DType::kBFloat16) {
    const uint16_t* data = static_cast<const uint16_t*>(cache.data) + at;
    for (int64_t i = 0; i < count; i += kLanes) store(widened + i, loadBf16(data + i));
    return widened;
  }
  const int8_t* data = static_cast<const int8_t*>(cache.data) + at;
  const float* scales = scalesOf(cache, row);
  for (int64_t j = 0; j < kKeyBlock; j += kLanes) {
    const F32 scale = load(scales + j);
    for (int64_t i = j; i < count; i += kKeyBlock) {
      store(widened + i, mul(loadI8(data + i), scale));
    }
  }
  return widened;
}

// V of a page and head, [count][e padded to lanes]: where it lies, or widened.
static const float* valuesOf(const Cache& cache, int64_t row, int64_t count, float* widened) {
  const int64_t size = cache.size, at = row * size;
  if (cache.dtype == DType::kFloat32 && size % kLanes == 0) {
    return static_cast<const float*>(cache.data) + at;
  }
  const float* scales = cache.dtype == DType::kInt8 ? scalesOf(cache, row) : nullptr;
  float* to = widened;
  for (int64_t j = 0; j < count; j++) {
    const F32 scale = broadcast(scales ? scales[j] : 1.0f);
    forEachVector(size, [&](int64_t c, int n) {
      const int64_t from = at + j * size + c;
      F32 x;
      if (cache.dtype == DType::kFloat32) {
        x = loadUpTo(static_cast<const float*>(cache.data) + from, n);
      } else if (cache.dtype == DType::kBFloat16) {
        const uint16_t* p = static_cast<const uint16_t*>(cache.data) + from;
        x = n == kLanes ? loadBf16(p) : loadFirstBf16(p, n);
      } else {
        const int8_t* p = static_cast<const int8_t*>(cache.data) + from;
        x = mul(n == kLanes ? loadI8(p) : loadFirstI8(p, n), scale);
      }
      store(to, x);
      to += kLanes;
    });
  }
  return widened;
}

// Whether 0·v is 0 for all of them.
static bool areFinite(const float* values, int64_t count) {
  F32 products = zero();
  for (int64_t i = 0; i < count; i += kLanes) products = fma(load(values + i), zero(), products);
  return sum(products) == 0.0f;
}

// The positions first … end, at most 512 of them, into w.
static void attendPositions(const PagedProblem& p, const QueryTile& tile, int64_t keyHead,
                            int64_t first, int64_t end, AttentionWorkspace& w) {
  const AttentionProblem& a = p.attention;
  const int64_t width = paddedToLanes(a.valueSize);
  for (int64_t i = 0; i < tile.rows * width; i += kLanes) store(w.outputs + i, zero());
  for (int64_t i = 0; i < tile.rows * kLanes; i += kLanes) store(w.sums + i, zero());
  for (int64_t r = 0; r < tile.rows; r++) w.maxima[r] = -__builtin_inff();
  const Windows everyRow = windowsOf(w.rows, tile.rows);
  const int64_t groups = divideUp(tile.rows, kAttentionRows);
  const int32_t* table = p.tables + p.tableOffsets[tile.segment];
  for (; first < end; first += kKeyBlock) {
    KeyBlock block;
    readPage(first, end - first, &block);
    const VisibleColumns some = visibleColumns(block, everyRow);
    if (some.end == 0) continue;
    const int64_t row = (table[first / kKeyBlock] * a.keyHeads + keyHead) * kKeyBlock;
    const float* keys = keysOf(p.keys, row, w.keys);
    const float* values = valuesOf(p.values, row, block.count, w.values);
    block.finiteValues = some.partly && areFinite(values, block.count * width);
    for (int64_t g = 0; g < groups; g++) {
      const int64_t r = tile.rows * g / groups;
      const int64_t count = tile.rows * (g + 1) / groups - r;
      const VisibleColumns columns =
          some.partly ? visibleColumns(block, windowsOf(w.rows + r, count)) : some;
      if (columns.end == 0) continue;
      alignas(kAlignment) float rescale[kAttentionRows + kLanes] = {};
      scoreRows(a, block, w.rows + r, count, columns, w.queries + r * paddedToLanes(a.headSize),
                keys, w.relative, w.scores);
      weighRows(columns, count, w.scores, w.maxima + r, w.sums + r * kLanes, rescale);
      addValues(block, w.rows + r, count, columns, w.scores, values, rescale, w.outputs + r * width,
                width);
    }
  }
}

// A part of one row and head: what is at `values` [size] has the maximum and sum beside it.
struct Part {
  float* values;
  float* maximum;
  float* sum;
};

static inline float expOf(float x) {
  alignas(kAlignment) float lanes[kLanes];
  store(lanes, expNonPositive(broadcast(x)));
  return lanes[0];
}

// total += part, both rescaled to the larger maximum.
static void joinPart(const Part& total, const float* values, float maximum, float sum,
                     int64_t size) {
  const float lowest = -__builtin_inff();
  const float before = *total.maximum;
  if (maximum == lowest && sum == 0) return;  // it saw nothing
  if (before == lowest && *total.sum == 0) {
    *total.maximum = maximum;
    *total.sum = sum;
    forEachVector(
        size, [&](int64_t i, int n) { storeUpTo(total.values + i, loadUpTo(values + i, n), n); });
    return;
  }
  const float highest = maximum > before ? maximum : before;
  const float shift = highest == lowest ? 0.0f : highest;
  const float old = expOf(before - shift), added = expOf(maximum - shift);
  *total.maximum = highest;
  *total.sum = *total.sum * old + sum * added;
  forEachVector(size, [&](int64_t i, int n) {
    const F32 kept = mul(loadUpTo(total.values + i, n), broadcast(old));
    storeUpTo(total.values + i, fma(loadUpTo(values + i, n), broadcast(added), kept), n);
  });
}

static inline float sumOfRow(const AttentionWorkspace& w, int64_t row) {
  return sum(load(w.sums + row * kLanes));
}

// One key head of a tile, from position `first` on to `end`.
static void attendPart(const PagedProblem& p, const QueryTile& tile, int64_t keyHead, int64_t first,
                       int64_t end, int64_t part, PagedWorkspace& w) {
  const AttentionProblem& a = p.attention;
  const int64_t width = paddedToLanes(a.valueSize);
  readQueries(a, tile, keyHead, w.one);
  for (int64_t r = 0; r < tile.rows; r++) {
    // Rows count as positions from the end of the sequence.
    const int64_t query = tile.firstInSegment + r / a.group;
    const int64_t rows = a.querySegments[tile.segment + 1] - a.querySegments[tile.segment];
    const int32_t position = static_cast<int32_t>(p.lengths[tile.segment] - rows + query);
    w.one.rows[r].position = position;
    w.one.rows[r].window = windowOf(a, position);
    w.maxima[r] = -__builtin_inff();
    w.sums[r] = 0;
  }
  for (; first < end; first += kPartPositions) {
    attendPositions(p, tile, keyHead, first, smaller(first + kPartPositions, end), w.one);
    for (int64_t r = 0; r < tile.rows; r++) {
      joinPart({w.outputs + r * width, w.maxima + r, w.sums + r}, w.one.outputs + r * width,
               w.one.maxima[r], sumOfRow(w.one, r), a.valueSize);
    }
  }
  const int64_t firstRow = a.querySegments[tile.segment] + tile.firstInSegment;
  for (int64_t r = 0; r < tile.rows; r++) {
    float* to = p.parts + (p.partOffsets[firstRow + r / a.group] + part) * p.partWidth;
    const int64_t head = w.one.rows[r].head;
    to[a.heads * a.valueSize + head] = w.maxima[r];
    to[a.heads * a.valueSize + a.heads + head] = w.sums[r];
    const bool sawNothing = w.sums[r] == 0 && w.maxima[r] == -__builtin_inff();
    forEachVector(a.valueSize, [&](int64_t i, int n) {
      storeUpTo(to + head * a.valueSize + i,
                sawNothing ? zero() : loadUpTo(w.outputs + r * width + i, n), n);
    });
  }
}

static void pagedAttention(const Call& call, int, int, Scratch scratch) {
  const PagedProblem p = readPaged(call);
  const AttentionProblem& a = p.attention;
  PagedWorkspace w;
  layOut(p, scratch.data, &w);
  const int64_t perTile = queriesPerTile(a);
  int64_t passed = 0, segment = 0;
  for (int64_t number; !isCancelled(call);) {
    number = claim(call.work);
    QueryTile tile = {};
    for (;; segment++) {
      if (segment == a.segments) return;
      const int64_t begin = a.querySegments[segment];
      const int64_t queries = a.querySegments[segment + 1] - begin;
      const int64_t tiles = divideUp(queries, perTile);
      const int64_t parts = queries > 0 ? p.partOffsets[begin + 1] - p.partOffsets[begin] : 1;
      const int64_t items = tiles * a.keyHeads * parts;
      if (number - passed >= items) {
        passed += items;
        continue;
      }
      const int64_t local = number - passed;
      // The last queries have the most to do, and come first.
      const int64_t t = tiles - 1 - local / (a.keyHeads * parts);
      const int64_t head = local / parts % a.keyHeads, part = local % parts;
      tile.segment = segment;
      tile.firstInSegment = queries * t / tiles;
      tile.queries = queries * (t + 1) / tiles - tile.firstInSegment;
      tile.rows = tile.queries * a.group;
      // No row of the tile sees further than its last.
      const int64_t seen = p.lengths[segment] - queries + tile.firstInSegment + tile.queries;
      const int64_t end = part + 1 == parts ? seen : smaller((part + 1) * kPartPositions, seen);
      attendPart(p, tile, head, part * kPartPositions, end, part, w);
      break;
    }
  }
}

static size_t pagedAttentionScratch(const Call& call) {
  PagedWorkspace unused;
  return layOut(readPaged(call), nullptr, &unused);
}

static void joinParts(const Call& call, int, int, Scratch) {
  const Tensor& parts = call.inputs[0];
  const int32_t* offsets = static_cast<const int32_t*>(call.inputs[1].data);
  const int64_t heads = call.ints[0], width = parts.dims[1], columns = call.outputs[0].dims[1];
  const int64_t size = columns / heads;
  forEachRow(call, call.outputs[0].dims[0], columns, [&](int64_t r) {
    float* to = static_cast<float*>(call.outputs[0].data) + r * columns;
    for (int64_t h = 0; h < heads; h++) {
      float highest = -__builtin_inff(), total = 0;
      forEachVector(size, [&](int64_t i, int n) { storeUpTo(to + h * size + i, zero(), n); });
      for (int64_t j = offsets[r]; j < offsets[r + 1]; j++) {
        const float* part = static_cast<const float*>(parts.data) + j * width;
        joinPart({to + h * size, &highest, &total}, part + h * size, part[columns + h],
                 part[columns + heads + h], size);
      }
      const F32 factor = broadcast(1.0f / (total == 0 ? 1.0f : total));
      forEachVector(size, [&](int64_t i, int n) {
        float* at = to + h * size + i;
        storeUpTo(at, fma(loadUpTo(at, n), factor, zero()), n);
      });
    }
  });
}

}  // namespace heddle::HEDDLE_ISA
