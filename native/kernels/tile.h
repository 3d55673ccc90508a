// What `linear` and `matmul` share: panels, and the register tile that multiplies them.
//
// A panel holds kPanel columns of the right-hand matrix, [k][kPanel]. The tile multiplies up to
// kTileRows rows by a panel with every sum in a register: per output one chain of fused
// multiply-adds over k, continued from `c` where a block of k is not the first. Neither the blocks
// of k nor the tile that an output falls into can therefore change a result.
#pragma once

#include "kernels/kernel.h"
#include "simd/simd.h"

namespace heddle::HEDDLE_ISA {

constexpr int kPanel = kTileVectors * kLanes;

// A panel of one block of k streams from the second-level cache (36 KiB with AVX2).
constexpr int64_t kBlockDepth = 384;

HEDDLE_INLINE int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }
HEDDLE_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// target[j][i] = source[i][j] for rows × cols of the source; strides in floats.
static inline void transposeTo(const float* source, int64_t sourceStride, float* target,
                               int64_t targetStride, int rows, int cols) {
  const int wholeRows = rows / kLanes * kLanes;
  const int wholeCols = cols / kLanes * kLanes;
  for (int i = 0; i < wholeRows; i += kLanes) {
    for (int j = 0; j < wholeCols; j += kLanes) {
      transposeBlock(source + i * sourceStride + j, sourceStride, target + j * targetStride + i,
                     targetStride);
    }
  }
  for (int i = 0; i < rows; i++) {
    for (int j = i < wholeRows ? wholeCols : 0; j < cols; j++) {
      target[j * targetStride + i] = source[i * sourceStride + j];
    }
  }
}

// How the tile reads a panel and the rows it is multiplied with: kDepth values of k at a time.
struct Float32Format {
  using Weight = float;
  using Input = float;
  using Sum = float;
  static constexpr int kDepth = 1;
  HEDDLE_INLINE F32 zeroSum() { return zero(); }
  HEDDLE_INLINE F32 loadSum(const float* p) { return load(p); }
  HEDDLE_INLINE void storeSum(float* p, F32 sum) { store(p, sum); }
  HEDDLE_INLINE F32 weights(const float* p) { return load(p); }
  HEDDLE_INLINE F32 input(const float* p) { return broadcast(*p); }
  HEDDLE_INLINE F32 accumulate(F32 x, F32 w, F32 sum) { return fma(x, w, sum); }
};

// Each tile's rows side by side, [k][Rows], the tiles one after another: what a transposed matrix
// is copied to. A stride is the depth, so that a row's place is where its tile begins.
struct InterleavedFormat : Float32Format {};
template <class Format>
constexpr bool kInterleaved = false;
template <>
constexpr bool kInterleaved<InterleavedFormat> = true;

struct Bf16Format : Float32Format {
  using Weight = uint16_t;
  HEDDLE_INLINE F32 weights(const uint16_t* p) { return loadBf16(p); }
};

struct F16Format : Float32Format {
  using Weight = uint16_t;
  HEDDLE_INLINE F32 weights(const uint16_t* p) { return loadF16(p); }
};

#ifdef HEDDLE_BF16_DOT
// Pairs of k side by side, [k/2][kPanel][2]; both sides bfloat16, sums float32.
struct Bf16PairFormat : Float32Format {
  using Weight = uint16_t;
  using Input = uint16_t;
  static constexpr int kDepth = 2;
  HEDDLE_INLINE __m512bh weights(const uint16_t* p) { return loadBf16Pairs(p); }
  HEDDLE_INLINE __m512bh input(const uint16_t* p) { return broadcastBf16Pair(p); }
  HEDDLE_INLINE F32 accumulate(__m512bh x, __m512bh w, F32 sum) { return dotBf16(sum, x, w); }
};
#endif

// c[rows, columns] (+)= a[rows, k] · panels. Strides in elements; `depth` a multiple of
// Format::kDepth.
template <class Format>
struct Block {
  const typename Format::Input* a;
  int64_t aStride;
  const typename Format::Weight* b;
  int64_t panelStride;
  typename Format::Sum* c;
  int64_t cStride;
  int64_t rows, columns, depth;
  bool first;         // c starts at 0, not at what it holds
  const void* after;  // the weights wanted after these, asked for beside the last panel; null: none
};

// What a tile asks for while it multiplies, so that it has come when its turn is there. Hardware
// prefetchers follow neither the step to another panel nor rows of c that lie far apart.
template <class Format>
struct Ahead {
  uintptr_t weights;  // an address, maybe beyond the last panel; `lines` cache lines for each strip
  int64_t lines;
  const typename Format::Sum* sums;  // kTileRows rows, a panel wide; null: none
  int64_t stride;
};

// Values of k between two requests; a cache line of a panel is asked for at a time.
constexpr int kStrip = 16;
constexpr int64_t kLine = 64;

// Lines a strip, so that `tiles` tiles ask for a whole panel.
template <class Format>
HEDDLE_INLINE int64_t linesAhead(int64_t tiles) {
  constexpr int64_t kStripBytes = kStrip * kPanel * sizeof(typename Format::Weight);
  return divideUp(kStripBytes / kLine, tiles);
}

// kDepth values of k.
template <class Format, int Rows, int Panels, class Sums>
HEDDLE_INLINE void multiplyStep(const typename Format::Input* a, int64_t aStride,
                                const typename Format::Weight* b, int64_t panelStride, Sums& sums) {
#pragma GCC unroll 8
  for (int panel = 0; panel < Panels; panel++) {
    decltype(Format::weights(b)) w[kTileVectors];
#pragma GCC unroll 16
    for (int v = 0; v < kTileVectors; v++) {
      w[v] = Format::weights(b + panel * panelStride + v * kLanes * Format::kDepth);
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; i++) {
      const auto x = Format::input(a + (kInterleaved<Format> ? i : i * aStride));
#pragma GCC unroll 16
      for (int v = 0; v < kTileVectors; v++) {
        auto& sum = sums[i][panel * kTileVectors + v];
        sum = Format::accumulate(x, w[v], sum);
      }
    }
  }
}

template <class Format, int Rows, int Panels>
static void multiplyTile(const Block<Format>& block, const typename Format::Input* a,
                         const typename Format::Weight* b, typename Format::Sum* c, int64_t cStride,
                         const Ahead<Format>& ahead) {
  constexpr int kDepth = Format::kDepth;
  constexpr int kVectors = Panels * kTileVectors;
  constexpr int kAhead = kInterleaved<Format> ? Rows : kDepth;  // from one value of a row on
  // Rows that lie apart are more streams than the hardware follows; a strip of each is a line.
  constexpr bool kAsksForRows =
      !kInterleaved<Format> && Rows > 4 && sizeof(*a) * kStrip == static_cast<size_t>(kLine);
  const int64_t aStride = block.aStride;
  const int64_t panelStride = block.panelStride;
  uintptr_t wanted = ahead.weights;
  const int64_t lines = ahead.lines;
  if (ahead.sums) {
    for (int i = 0; i < kTileRows; i++) {
      const auto* row = reinterpret_cast<const char*>(ahead.sums + i * ahead.stride);
      for (int64_t at = 0; at < kPanel * 4; at += kLine) prefetch(row + at);
    }
  }
  decltype(Format::zeroSum()) sums[Rows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; i++) {
#pragma GCC unroll 32
    for (int v = 0; v < kVectors; v++) {
      sums[i][v] = block.first ? Format::zeroSum() : Format::loadSum(c + i * cStride + v * kLanes);
    }
  }
  int64_t k = 0;
  for (; k + kStrip <= block.depth; k += kStrip) {
    for (int64_t i = 0; i < lines; i++) {
      prefetchFar(reinterpret_cast<const void*>(wanted + static_cast<uintptr_t>(i * kLine)));
    }
    wanted += static_cast<uintptr_t>(lines * kLine);
#pragma GCC unroll 16
    for (int i = 0; kAsksForRows && i < Rows; i++) {
      prefetch(a + i * aStride + kStrip);
    }
#pragma GCC unroll 4
    for (int step = 0; step < kStrip; step += kDepth) {
      multiplyStep<Format, Rows, Panels>(a, aStride, b, panelStride, sums);
      a += kAhead;
      b += kPanel * kDepth;
    }
  }
  for (; k < block.depth; k += kDepth) {
    multiplyStep<Format, Rows, Panels>(a, aStride, b, panelStride, sums);
    a += kAhead;
    b += kPanel * kDepth;
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; i++) {
#pragma GCC unroll 32
    for (int v = 0; v < kVectors; v++) Format::storeSum(c + i * cStride + v * kLanes, sums[i][v]);
  }
}

// One panel, all columns of it or the first few: a partial panel passes through a full buffer.
template <class Format, int Rows>
static void multiplyPanel(const Block<Format>& block, const typename Format::Input* a,
                          const typename Format::Weight* b, typename Format::Sum* c,
                          int64_t columns, const Ahead<Format>& ahead) {
  if (columns >= kPanel) {
    multiplyTile<Format, Rows, 1>(block, a, b, c, block.cStride, ahead);
    return;
  }
  alignas(kAlignment) typename Format::Sum whole[Rows * kPanel] = {};
  for (int i = 0; i < Rows; i++) {
    for (int64_t j = 0; j < columns && !block.first; j++) {
      whole[i * kPanel + j] = c[i * block.cStride + j];
    }
  }
  multiplyTile<Format, Rows, 1>(block, a, b, whole, kPanel, ahead);
  for (int i = 0; i < Rows; i++) {
    for (int64_t j = 0; j < columns; j++) c[i * block.cStride + j] = whole[i * kPanel + j];
  }
}

// Few rows: several panels at once, so that there are chains enough to hide the latency of an
// addition. They ask for nothing: reading is all they do, and the hardware follows several streams
// better than it serves requests beside them.
template <class Format, int Rows>
static void multiplyFewRows(const Block<Format>& block) {
  constexpr int kPanels = kTileRows / Rows;
  const typename Format::Weight* b = block.b;
  int64_t column = 0;
  if constexpr (kPanels > 1) {
    for (; column + kPanels * kPanel <= block.columns; column += kPanels * kPanel) {
      multiplyTile<Format, Rows, kPanels>(block, block.a, b, block.c + column, block.cStride, {});
      b += kPanels * block.panelStride;
    }
  }
  for (; column < block.columns; column += kPanel) {
    const void* next = column + kPanel < block.columns ? b + block.panelStride : block.after;
    const int64_t lines = kPanels > 1 || !next ? 0 : linesAhead<Format>(1);
    multiplyPanel<Format, Rows>(block, block.a, b, block.c + column, block.columns - column,
                                {reinterpret_cast<uintptr_t>(next), lines, nullptr, 0});
    b += block.panelStride;
  }
}

// Calls Visitor::template run<Rows>(…) for a row count that is known at run time only.
template <class Visitor, class... Arguments>
HEDDLE_INLINE void withRows(int64_t rows, const Arguments&... arguments) {
  switch (rows) {
    case 1:
      Visitor::template run<1>(arguments...);
      break;
    case 2:
      Visitor::template run<2>(arguments...);
      break;
    case 3:
      Visitor::template run<3>(arguments...);
      break;
    case 4:
      Visitor::template run<4>(arguments...);
      break;
    case 5:
      if constexpr (kTileRows >= 5) Visitor::template run<5>(arguments...);
      break;
    case 6:
      if constexpr (kTileRows >= 6) Visitor::template run<6>(arguments...);
      break;
  }
  static_assert(kTileRows >= 4 && kTileRows <= 6);
}

template <class Format>
struct FewRows {
  template <int Rows>
  HEDDLE_INLINE void run(const Block<Format>& block) {
    multiplyFewRows<Format, Rows>(block);
  }
};

template <class Format>
struct OnePanel {
  template <int Rows>
  HEDDLE_INLINE void run(const Block<Format>& block, const typename Format::Input* a,
                         const typename Format::Weight* b, typename Format::Sum* c, int64_t columns,
                         const Ahead<Format>& ahead) {
    multiplyPanel<Format, Rows>(block, a, b, c, columns, ahead);
  }
};

// Where a tile ends of those that some rows are multiplied in. Even shares: a last tile of one or
// two rows would leave the multipliers waiting.
HEDDLE_INLINE int64_t tileEnd(int64_t rows, int64_t tile) {
  const int64_t tiles = divideUp(rows, kTileRows);
  return tiles > 0 ? rows * (tile + 1) / tiles : 0;
}

// The tiles of a block but for the first `done` of each panel.
template <class Format>
static void multiplyTiles(const Block<Format>& block, int64_t done) {
  const int64_t tiles = divideUp(block.rows, kTileRows);
  const int64_t lines = linesAhead<Format>(tiles);
  const int64_t bytesAhead = divideUp(block.depth, kStrip) * lines * kLine;  // by one tile
  const typename Format::Weight* b = block.b;
  for (int64_t column = 0; column < block.columns; column += kPanel) {
    const bool last = column + kPanel >= block.columns;
    const void* next = last ? block.after : b + block.panelStride;
    Ahead<Format> ahead = {reinterpret_cast<uintptr_t>(next), next ? lines : 0, nullptr,
                           block.cStride};
    int64_t row = done > 0 ? tileEnd(block.rows, done - 1) : 0;
    for (int64_t tile = done; tile < tiles; tile++) {
      const int64_t end = tileEnd(block.rows, tile);
      typename Format::Sum* c = block.c + column;
      if (tile + 1 < tiles) {
        ahead.sums = c + end * block.cStride;
      } else {
        ahead.sums = last ? nullptr : c + kPanel;
      }
      withRows<OnePanel<Format>>(end - row, block, block.a + row * block.aStride, b,
                                 c + row * block.cStride, block.columns - column, ahead);
      ahead.weights += static_cast<uintptr_t>(bytesAhead);
      row = end;
    }
    b += block.panelStride;
  }
}

// The panel stays in the first-level cache while the rows stream past it.
template <class Format>
static void multiplyBlock(const Block<Format>& block) {
  if (block.rows <= kTileRows) {
    withRows<FewRows<Format>>(block.rows, block);
    return;
  }
  multiplyTiles(block, 0);
}

}  // namespace heddle::HEDDLE_ISA
