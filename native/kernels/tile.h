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

// A panel of one block of k fits the first-level cache (AVX2: 24 KiB) or streams from the second.
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
  bool first;  // c starts at 0, not at what it holds
};

template <class Format, int Rows, int Panels>
static void multiplyTile(const Block<Format>& block, const typename Format::Input* a,
                         const typename Format::Weight* b, typename Format::Sum* c,
                         int64_t cStride) {
  constexpr int kDepth = Format::kDepth;
  constexpr int kVectors = Panels * kTileVectors;
  const int64_t aStride = block.aStride;
  const int64_t panelStride = block.panelStride;
  decltype(Format::zeroSum()) sums[Rows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; i++) {
#pragma GCC unroll 32
    for (int v = 0; v < kVectors; v++) {
      sums[i][v] = block.first ? Format::zeroSum() : Format::loadSum(c + i * cStride + v * kLanes);
    }
  }
#pragma GCC unroll 4
  for (int64_t k = 0; k < block.depth; k += kDepth) {
#pragma GCC unroll 8
    for (int panel = 0; panel < Panels; panel++) {
      decltype(Format::weights(b)) w[kTileVectors];
#pragma GCC unroll 16
      for (int v = 0; v < kTileVectors; v++) {
        w[v] = Format::weights(b + panel * panelStride + v * kLanes * kDepth);
      }
#pragma GCC unroll 16
      for (int i = 0; i < Rows; i++) {
        const auto x = Format::input(a + i * aStride);
#pragma GCC unroll 16
        for (int v = 0; v < kTileVectors; v++) {
          auto& sum = sums[i][panel * kTileVectors + v];
          sum = Format::accumulate(x, w[v], sum);
        }
      }
    }
    a += kDepth;
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
                          int64_t columns) {
  if (columns >= kPanel) {
    multiplyTile<Format, Rows, 1>(block, a, b, c, block.cStride);
    return;
  }
  alignas(kAlignment) typename Format::Sum whole[Rows * kPanel] = {};
  for (int i = 0; i < Rows; i++) {
    for (int64_t j = 0; j < columns && !block.first; j++) {
      whole[i * kPanel + j] = c[i * block.cStride + j];
    }
  }
  multiplyTile<Format, Rows, 1>(block, a, b, whole, kPanel);
  for (int i = 0; i < Rows; i++) {
    for (int64_t j = 0; j < columns; j++) c[i * block.cStride + j] = whole[i * kPanel + j];
  }
}

// Few rows: several panels at once, so that there are chains enough to hide the latency of an
// addition.
template <class Format, int Rows>
static void multiplyFewRows(const Block<Format>& block) {
  constexpr int kPanels = kTileRows / Rows;
  const typename Format::Weight* b = block.b;
  int64_t column = 0;
  if constexpr (kPanels > 1) {
    for (; column + kPanels * kPanel <= block.columns; column += kPanels * kPanel) {
      multiplyTile<Format, Rows, kPanels>(block, block.a, b, block.c + column, block.cStride);
      b += kPanels * block.panelStride;
    }
  }
  for (; column < block.columns; column += kPanel) {
    multiplyPanel<Format, Rows>(block, block.a, b, block.c + column, block.columns - column);
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
                         const typename Format::Weight* b, typename Format::Sum* c,
                         int64_t columns) {
    multiplyPanel<Format, Rows>(block, a, b, c, columns);
  }
};

// The panel stays in the first-level cache while the rows stream past it.
template <class Format>
static void multiplyBlock(const Block<Format>& block) {
  if (block.rows <= kTileRows) {
    withRows<FewRows<Format>>(block.rows, block);
    return;
  }
  const int64_t tiles = divideUp(block.rows, kTileRows);
  const typename Format::Weight* b = block.b;
  for (int64_t column = 0; column < block.columns; column += kPanel) {
    int64_t row = 0;
    for (int64_t tile = 0; tile < tiles; tile++) {
      // Even shares: a last tile of one or two rows would leave the multipliers waiting.
      const int64_t end = block.rows * (tile + 1) / tiles;
      withRows<OnePanel<Format>>(end - row, block, block.a + row * block.aStride, b,
                                 block.c + row * block.cStride + column, block.columns - column);
      row = end;
    }
    b += block.panelStride;
  }
}

}  // namespace heddle::HEDDLE_ISA
